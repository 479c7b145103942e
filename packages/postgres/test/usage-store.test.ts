import { createHash } from 'node:crypto';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { Database } from '@tollgate/postgres/database';
import { type DeadLetter, listDeadLetters } from '@tollgate/postgres/dead-letters';
import { dropOldUsage, findOffset, StaleOwner, storeUsage } from '@tollgate/postgres/usage-store';
import { expect, test } from 'vitest';
import { HOSTILE_STRINGS } from './hostile-strings.js';
import { anEvent, count, openFresh } from './open-fresh.js';

const PLACE = { group: 'writer', logId: 'log-1', topic: 'usage-events', partition: 0 };
const OTHER_ORGANIZATION = '33333333-3333-4333-8333-333333333333';

/** Stores at the next offset of partition 0. */
async function store(db: Database, events: readonly UsageEvent[], deadLetters: readonly DeadLetter[] = []) {
  const startOffset = (await findOffset(db, PLACE)) ?? 0n;
  return storeUsage(db, {
    ...PLACE,
    startOffset,
    nextOffset: startOffset + BigInt(events.length + deadLetters.length),
    events,
    deadLetters,
  });
}

function hours(db: Database): Promise<object[]> {
  return db.query(
    `SELECT hour, environment, requests::int, billable_requests::int, billable_units::int, request_bytes::int, response_bytes::int,
       sum_response_time_ms, max_response_time_ms FROM usage_hourly ORDER BY organization_id, hour, environment`,
  );
}

test('a batch is stored whole: rows, hours and where reading goes on', async () => {
  const { db } = await openFresh();
  const events = [
    anEvent(),
    anEvent({ units: 7, response_time_ms: 30 }),
    anEvent({ billable: false, origin: 'gateway', status_code: 429, units: 1 }),
    anEvent({ environment: 'test', billable: false }),
    anEvent({ time: '2026-11-23T10:00:00.000000Z' }),
    anEvent({ organization_id: OTHER_ORGANIZATION }),
  ];
  expect(await store(db, events)).toMatchObject({ inserted: 6, duplicates: 0, deadLettered: 0 });
  const one = {
    environment: 'live',
    requests: 1,
    billable_requests: 1,
    billable_units: 1,
    request_bytes: 100,
    response_bytes: 1000,
  };
  const time = { sum_response_time_ms: 10, max_response_time_ms: 10 };
  const nine = new Date('2026-11-23T09:00:00Z');
  expect(await hours(db)).toEqual([
    {
      hour: nine,
      environment: 'live',
      requests: 3,
      billable_requests: 2,
      billable_units: 8,
      request_bytes: 300,
      response_bytes: 3000,
      sum_response_time_ms: 50,
      max_response_time_ms: 30,
    },
    { hour: nine, ...one, ...time, environment: 'test', billable_requests: 0, billable_units: 0 },
    { hour: new Date('2026-11-23T10:00:00Z'), ...one, ...time },
    { hour: nine, ...one, ...time },
  ]);
  expect(await findOffset(db, PLACE)).toBe(6n);
});

test('every field comes back as it was, down to the microsecond', async () => {
  const { db } = await openFresh();
  const events = HOSTILE_STRINGS.map((text) =>
    anEvent({
      path: text,
      route: text,
      method: text.slice(0, 10),
      request_id: text,
      request_bytes: Number.MAX_SAFE_INTEGER,
      response_time_ms: 0.1,
      node_id: text,
      shadow_limited: 'minute',
    }),
  );
  await store(db, events);
  const rows = await db.query<{ event: UsageEvent }>(
    `SELECT to_jsonb(e) || jsonb_build_object('v', 1, 'event_id', replace(event_id::text, '-', ''),
       'time', to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) AS event FROM usage_events AS e`,
  );
  const stored = new Map(rows.map(({ event }) => [event.event_id, event]));
  for (const event of events) expect(stored.get(event.event_id)).toEqual({ node_id: '', ...event });
});

test('a duplicate counts once: in one batch, in the next one, and beside new events', async () => {
  const { db } = await openFresh();
  const [one, two] = [anEvent(), anEvent()];
  expect(await store(db, [one, one])).toMatchObject({ inserted: 1, duplicates: 1, deadLettered: 0 });
  expect(await store(db, [one, { ...two, units: 5 }, one])).toMatchObject({ inserted: 1, duplicates: 2, deadLettered: 0 });
  expect(await store(db, [{ ...one, units: 1000 }])).toMatchObject({ inserted: 0, duplicates: 1, deadLettered: 0 });
  expect(await hours(db)).toMatchObject([{ requests: 2, billable_units: 6, sum_response_time_ms: 20 }]);
});

test('replaying a whole log that was made anew adds nothing', async () => {
  const { db } = await openFresh();
  const events = Array.from({ length: 500 }, (_, i) => anEvent({ time: `2026-11-2${i % 5}T0${i % 10}:00:00.00000${i % 7}Z` }));
  await store(db, events);
  const before = await hours(db);
  const replay = { ...PLACE, logId: 'log-2', startOffset: 0n, nextOffset: 500n, events, deadLetters: [] };
  expect(await storeUsage(db, replay)).toMatchObject({ inserted: 0, duplicates: 500, deadLettered: 0 });
  expect(await hours(db)).toEqual(before);
});

test('an owner that was overtaken stores nothing', async () => {
  const { db } = await openFresh();
  const batch = { ...PLACE, startOffset: 0n, nextOffset: 2n, events: [anEvent(), anEvent()], deadLetters: [] };
  await storeUsage(db, batch);
  const stale = {
    ...batch,
    startOffset: 1n,
    events: [anEvent()],
    deadLetters: [{ offset: 1n, value: Buffer.from('x'), reason: 'r' }],
  };
  await expect(storeUsage(db, batch)).rejects.toBeInstanceOf(StaleOwner);
  await expect(storeUsage(db, stale)).rejects.toBeInstanceOf(StaleOwner);
  expect([await count(db, 'usage_events'), await count(db, 'usage_dead_letters')]).toEqual([2, 0]);
  expect(await findOffset(db, PLACE)).toBe(2n);
});

test('of two owners who store the same records at once, one is overtaken', async () => {
  const { db } = await openFresh();
  const [one, two] = [anEvent(), anEvent()];
  const batch = { ...PLACE, startOffset: 0n, nextOffset: 1n, deadLetters: [] };
  const results = await Promise.allSettled([
    storeUsage(db, { ...batch, events: [one] }),
    storeUsage(db, { ...batch, events: [two] }),
  ]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(results.find((result) => result.status === 'rejected')?.reason).toBeInstanceOf(StaleOwner);
  expect(await count(db, 'usage_events')).toBe(1);
});

test('offsets are of one group, log, topic and partition', async () => {
  const { db } = await openFresh();
  await store(db, [anEvent()]);
  for (const other of [{ group: 'g' }, { logId: 'l' }, { topic: 't' }, { partition: 1 }])
    expect(await findOffset(db, { ...PLACE, ...other })).toBeUndefined();
});

test('a batch that fails half way keeps nothing, not even its offset', async () => {
  const { db } = await openFresh();
  await store(db, [anEvent()]);
  const before = await hours(db);
  const letter = { offset: 2n, value: Buffer.from('x'), reason: 'r' };
  await expect(store(db, [anEvent()], [letter, { ...letter, reason: null as unknown as string }])).rejects.toThrow();
  await expect(store(db, [anEvent(), anEvent({ units: -1 })], [letter])).rejects.toThrow();
  expect([await count(db, 'usage_events'), await count(db, 'usage_dead_letters')]).toEqual([1, 0]);
  expect(await hours(db)).toEqual(before);
  expect(await findOffset(db, PLACE)).toBe(1n);
});

test('an event that is 35 or 89 days late is stored and counted in its own hour and day', async () => {
  const { db } = await openFresh();
  await store(db, [
    anEvent(),
    anEvent({ time: '2026-10-19T23:59:59.999999Z' }),
    anEvent({ time: '2026-08-26T00:00:00.000000Z' }),
  ]);
  expect(await db.query('SELECT day, requests::int FROM usage_daily ORDER BY day')).toEqual([
    { day: new Date('2026-08-26T00:00:00Z'), requests: 1 },
    { day: new Date('2026-10-19T00:00:00Z'), requests: 1 },
    { day: new Date('2026-11-23T00:00:00Z'), requests: 1 },
  ]);
  expect(await db.query('SELECT month, requests::int FROM usage_monthly ORDER BY month')).toMatchObject([
    { month: new Date('2026-08-01T00:00:00Z') },
    { month: new Date('2026-10-01T00:00:00Z') },
    { month: new Date('2026-11-01T00:00:00Z') },
  ]);
});

test('writers that need the same new days at once all get them', async () => {
  const { db } = await openFresh();
  const events = Array.from({ length: 20 }, (_, i) =>
    anEvent({ time: `2026-09-${String(i + 1).padStart(2, '0')}T12:00:00.000000Z` }),
  );
  const batch = (partition: number) => ({ ...PLACE, partition, startOffset: 0n, nextOffset: 20n, events, deadLetters: [] });
  const results = await Promise.all([0, 1, 2, 3].map((partition) => storeUsage(db, batch(partition))));
  expect(results.reduce((sum, { inserted }) => sum + inserted, 0)).toBe(20);
  expect(await db.query('SELECT sum(requests)::int AS requests FROM usage_hourly')).toEqual([{ requests: 20 }]);
});

test('the day boundary is midnight in UTC, whatever zone the session is in', async () => {
  const { db } = await openFresh();
  const events = ['2026-11-22T23:59:59.999999Z', '2026-11-23T00:00:00.000000Z'].map((time) => anEvent({ time }));
  await db.query(
    `ALTER DATABASE ${(await db.query<{ name: string }>('SELECT current_database() AS name'))[0]?.name} SET timezone = 'Asia/Kolkata'`,
  );
  await db.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  );
  await db.query("SET timezone = 'Asia/Kolkata'");
  await store(db, events);
  expect(await db.query('SELECT tableoid::regclass::text AS child FROM usage_events ORDER BY time')).toEqual([
    { child: 'usage_events_20261122' },
    { child: 'usage_events_20261123' },
  ]);
  expect(await db.query('SELECT extract(epoch FROM hour)::int AS hour FROM usage_hourly ORDER BY hour')).toEqual([
    { hour: Date.UTC(2026, 10, 22, 23) / 1000 },
    { hour: Date.UTC(2026, 10, 23) / 1000 },
  ]);
});

test('raw rows go after 90 days, hours and days stay', async () => {
  const { db } = await openFresh();
  await store(db, [
    anEvent(),
    anEvent({ time: '2026-08-25T23:59:59.999999Z' }),
    anEvent({ time: '2026-08-24T23:59:59.999999Z' }),
  ]);
  expect(await dropOldUsage(db, new Date('2026-11-23T00:00:00Z'))).toBe(1);
  expect(await count(db, 'usage_events')).toBe(2);
  expect(await count(db, 'usage_hourly')).toBe(3);
  expect(await dropOldUsage(db, new Date('2026-11-23T23:59:59Z'))).toBe(0);
});

test('a dead letter is kept once, with its place, its first 64 KiB, and the hash of all of it', async () => {
  const { db } = await openFresh();
  const value = Buffer.alloc(70_000, 0xff);
  const letters = [
    { offset: 0n, value, reason: 'not JSON' },
    { offset: 1n, value: Buffer.from("'; \0 \\x41 {}"), reason: 'unknown version (v)' },
  ];
  expect(await store(db, [], letters)).toMatchObject({ inserted: 0, duplicates: 0, deadLettered: 2 });
  const replay = { ...PLACE, group: 'other', startOffset: 0n, nextOffset: 2n, events: [], deadLetters: letters };
  expect((await storeUsage(db, replay)).deadLettered).toBe(0);
  const [first, second] = await listDeadLetters(db, { limit: 10 });
  expect(first).toMatchObject({
    logId: 'log-1',
    topic: 'usage-events',
    partition: 0,
    offset: 0n,
    reason: 'not JSON',
    valueBytes: 70_000,
  });
  expect(first?.value).toEqual(value.subarray(0, 65_536));
  expect(first?.valueHash).toBe(createHash('sha256').update(value).digest('hex'));
  expect(second?.value).toEqual(letters[1]?.value);
  expect(await listDeadLetters(db, { afterId: second?.id ?? 0n, limit: 10 })).toEqual([]);
});

test('usage refers to no other table, so that it outlives what it names and may live elsewhere', async () => {
  const { db } = await openFresh();
  const rows = await db.query(
    "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text ~ '^(usage_|consumer_offsets)'",
  );
  expect(rows).toEqual([]);
});
