import type { Database } from '@tollgate/postgres/database';
import { listDeadLetters } from '@tollgate/postgres/dead-letters';
import { createUsagePartitions } from '@tollgate/postgres/insert-usage';
import { findOffset, storeUsage } from '@tollgate/postgres/usage-store';
import { expect, test } from 'vitest';
import { anEvent, count, openFresh, openUrl } from './open-fresh.js';

const PLACE = { group: 'writer', logId: 'log-1', topic: 'usage-events', partition: 0 };

/** Ten events, of which the database fails for the fifth. */
function store(db: Database) {
  const events = Array.from({ length: 10 }, (_, i) => anEvent({ path: i === 4 ? '/poison' : '/good' }));
  const sources = events.map((event, i) => ({ offset: BigInt(i), value: Buffer.from(JSON.stringify(event)) }));
  return storeUsage(db, { ...PLACE, startOffset: 0n, nextOffset: 10n, events, sources, deadLetters: [] });
}

/** A database that fails with this SQLSTATE, as a server does that has met the trouble of that name. */
async function openFailing(sqlstate: string): Promise<Database> {
  const { db } = await openFresh();
  await db.query(
    `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trouble' USING ERRCODE = '${sqlstate}'; END $$`,
  );
  await db.query(
    `CREATE TRIGGER fail BEFORE INSERT ON usage_events FOR EACH ROW WHEN (NEW.path = '/poison') EXECUTE FUNCTION fail()`,
  );
  return db;
}

test.each(['22003', '22021', '22P02', '23502', '23514', '54000'])(
  'an event that is refused with %s becomes a dead letter, alone, and its batch is stored',
  async (sqlstate) => {
    const db = await openFailing(sqlstate);
    expect(await store(db)).toMatchObject({ inserted: 9, duplicates: 0, deadLettered: 1 });
    expect(await findOffset(db, PLACE)).toBe(10n);
    expect(await listDeadLetters(db, { limit: 5 })).toMatchObject([
      { offset: 4n, reason: `refused by PostgreSQL (${sqlstate})`, replayedAt: null },
    ]);
    await expect(store(db)).rejects.toThrow('stored by another owner');
    expect(await count(db, 'usage_dead_letters')).toBe(1);
  },
);

/** A serialization failure, a deadlock, a full disk, too little memory, a timeout, a shutdown, a schema that is too old, a broken one. */
test.each(['40001', '40P01', '53100', '53200', '57014', '57P01', '42703', 'XX000'])(
  'trouble of the database itself (%s) costs no event: nothing is kept, and the batch is tried again',
  async (sqlstate) => {
    const db = await openFailing(sqlstate);
    await expect(store(db)).rejects.toThrow('trouble');
    expect([await count(db, 'usage_events'), await count(db, 'usage_dead_letters')]).toEqual([0, 0]);
    expect(await findOffset(db, PLACE)).toBeUndefined();
    await db.query('DROP TRIGGER fail ON usage_events');
    expect(await store(db)).toMatchObject({ inserted: 10, duplicates: 0, deadLettered: 0 });
  },
);

test('a database that answers too late costs no event', async () => {
  const { db, url } = await openFresh();
  const other = openUrl(url);
  await db.query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET lock_timeout = '100ms'`);
  const hurried = openUrl(url);
  await store(db);
  await other.transaction(async (tx) => {
    await tx.query('LOCK TABLE usage_hourly IN ACCESS EXCLUSIVE MODE');
    const event = anEvent();
    const batch = { ...PLACE, logId: 'log-2', startOffset: 0n, nextOffset: 1n, deadLetters: [] };
    const sources = [{ offset: 0n, value: Buffer.from('x') }];
    await expect(storeUsage(hurried, { ...batch, events: [event], sources })).rejects.toThrow(/lock timeout/);
  });
  expect([await count(db, 'usage_events'), await count(db, 'usage_dead_letters')]).toEqual([10, 0]);
  await other.close();
  await hurried.close();
});

test('a refused event without its source fails its batch, rather than to be lost', async () => {
  const db = await openFailing('23514');
  const batch = { ...PLACE, startOffset: 0n, nextOffset: 1n, events: [anEvent({ path: '/poison' })], deadLetters: [] };
  await expect(storeUsage(db, batch)).rejects.toThrow('trouble');
  expect(await findOffset(db, PLACE)).toBeUndefined();
});

test('what a rule refuses only when the transaction ends becomes a dead letter too', async () => {
  const { db } = await openFresh();
  const [known, unknown] = [anEvent(), anEvent({ organization_id: '33333333-3333-4333-8333-333333333333' })];
  await db.query('CREATE TABLE known (id uuid PRIMARY KEY)');
  await db.query('INSERT INTO known VALUES ($1)', [known.organization_id]);
  await db.query(
    'ALTER TABLE usage_events ADD CONSTRAINT known FOREIGN KEY (organization_id) REFERENCES known DEFERRABLE INITIALLY DEFERRED',
  );
  const sources = [0n, 1n].map((offset) => ({ offset, value: Buffer.from(`event ${offset}`) }));
  const batch = { ...PLACE, startOffset: 0n, nextOffset: 2n, events: [known, unknown], sources, deadLetters: [] };
  expect(await storeUsage(db, batch)).toMatchObject({ inserted: 1, duplicates: 0, deadLettered: 1 });
  expect(await listDeadLetters(db, { limit: 5 })).toMatchObject([{ offset: 1n, reason: 'refused by PostgreSQL (23503, known)' }]);
});

test('what is refused only beside others, as by a rule about sums, is found all the same', async () => {
  const { db } = await openFresh();
  await db.query('ALTER TABLE usage_hourly ADD CONSTRAINT few CHECK (requests <= 7)');
  const events = Array.from({ length: 10 }, () => anEvent());
  const sources = events.map((_, i) => ({ offset: BigInt(i), value: Buffer.from(`event ${i}`) }));
  const batch = { ...PLACE, startOffset: 0n, nextOffset: 10n, events, sources, deadLetters: [] };
  expect(await storeUsage(db, batch)).toMatchObject({ inserted: 7, duplicates: 0, deadLettered: 3 });
  expect(await db.query('SELECT requests::int FROM usage_hourly')).toEqual([{ requests: 7 }]);
  expect(await count(db, 'usage_events')).toBe(7);
});

/** A row of usage_events as the search hands it over. */
const aRow = (parts: object = {}): string => {
  const { v: _, ...row } = anEvent();
  return JSON.stringify({ ...row, node_id: '', shadow_limited: null, ...parts });
};

test('the search tries every column of the table', async () => {
  const { db } = await openFresh();
  await createUsagePartitions(db, [anEvent()]);
  const columns = await db.query<{ name: string }>(
    "SELECT column_name::text AS name FROM information_schema.columns WHERE table_name = 'usage_events' ORDER BY ordinal_position",
  );
  expect(columns.length).toBeGreaterThan(10);
  const rows = columns.map(({ name }) => aRow({ [name]: name === 'shadow_limited' ? 'never' : null }));
  const told = await db.query<{ code: string | null }>('SELECT code FROM try_usage($1::text[])', [[...rows, aRow()]]);
  const isRefused = told.map(({ code }) => code !== null);
  expect(isRefused).toEqual([...columns.map(() => true), false]);
  expect(await count(db, 'usage_events')).toBe(0);
});

test('the search of a slow database goes on behind what one statement tried, and no event is passed over', async () => {
  const db = await openFailing('23514');
  await db.query(
    'CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.06); RETURN NEW; END $$',
  );
  await db.query(
    "CREATE TRIGGER wait BEFORE INSERT ON usage_events FOR EACH ROW WHEN (NEW.route = 'slow') EXECUTE FUNCTION wait()",
  );
  await createUsagePartitions(db, [anEvent()]);
  const tried = async (rows: readonly string[]) => (await db.query('SELECT place FROM try_usage($1::text[])', [rows])).length;
  const slow = Array.from({ length: 30 }, () => aRow({ route: 'slow' }));
  expect(await tried(slow)).toBe(20);
  expect(await tried([...slow.slice(0, 19), aRow({ path: '/poison' })])).toBe(1);
  const events = Array.from({ length: 30 }, (_, i) =>
    anEvent({
      route: i < 20 ? 'slow' : 'fast',
      path: i === 25 ? '/poison' : '/good',
      time: `2026-11-23T09:59:48.0000${10 + i}Z`,
    }),
  );
  const sources = events.map((_, i) => ({ offset: BigInt(i), value: Buffer.from(`event ${i}`) }));
  const batch = { ...PLACE, startOffset: 0n, nextOffset: 30n, events, sources, deadLetters: [] };
  expect(await storeUsage(db, batch)).toMatchObject({ inserted: 29, duplicates: 0, deadLettered: 1 });
  expect((await listDeadLetters(db, { limit: 5 })).map(({ offset }) => offset)).toEqual([25n]);
  expect(await count(db, 'usage_events')).toBe(29);
});

test('all events of one node in a minute are found by the primary key, in the partition of their day alone', async () => {
  const { db } = await openFresh();
  const events = Array.from({ length: 5000 }, (_, i) =>
    anEvent({ time: `2026-11-2${i % 3}T${String(i % 24).padStart(2, '0')}:00:00.000000Z`, node_id: `edge-${i % 2}` }),
  );
  await storeUsage(db, { ...PLACE, startOffset: 0n, nextOffset: 5000n, events, deadLetters: [] });
  await db.query('ANALYZE usage_events');
  const minute = `time >= '2026-11-21T05:00:00Z' AND time < '2026-11-21T05:01:00Z'`;
  const rows = await db.query<{ 'QUERY PLAN': string }>(
    `EXPLAIN SELECT count(*) FROM usage_events WHERE ${minute} AND node_id = 'edge-1'`,
  );
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toContain('usage_events_20261121_pkey');
  expect(plan).not.toMatch(/Seq Scan|usage_events_20261120|usage_events_20261122/);
});
