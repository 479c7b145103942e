import { randomUUID } from 'node:crypto';
import { appendFile, copyFile, rename, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import { openFileEventLogWriter } from '@tollgate/event-log/file/file-event-log-writer';
import { storeUsage } from '@tollgate/postgres/usage-store';
import { until } from '@tollgate/testing/until';
import { expect, test } from 'vitest';
import { aLine, aWitness, eventOfLine, type KeptMinute, NOON_MS, sortedIds, type Witness, write } from './a-witness.js';

const DEADLINE_MS = 30_000;
const MINUTE_MS = 60_000;

const lines = (organizationId: string, count: number, fromMs = 0, everyMs = 10) =>
  Array.from({ length: count }, (_, i) => aLine(organizationId, fromMs + i * everyMs));

/** As the writer would have stored them. */
async function store({ db }: Witness, some: readonly string[]): Promise<void> {
  const place = { group: 'test', logId: randomUUID(), topic: 'usage-events', partition: 0, startOffset: 0n, nextOffset: 1n };
  await storeUsage(db, { ...place, events: some.map(eventOfLine), deadLetters: [] });
}

const total = (minutes: readonly KeptMinute[]) =>
  minutes.reduce(
    (sum, { requests, recorded, replayed, dead }) => ({
      requests: sum.requests + requests,
      recorded: sum.recorded + recorded,
      replayed: sum.replayed + replayed,
      dead: sum.dead + dead,
    }),
    { requests: 0, recorded: 0, replayed: 0, dead: 0 },
  );

/** Waits until so many of the organization's requests are kept as checked; returns their sums. */
async function checked(witness: Witness, organizationId: string, requests: number) {
  return until(
    async () => {
      const sum = total(await witness.kept(organizationId));
      return sum.requests >= requests && sum;
    },
    DEADLINE_MS,
    `${requests} checked requests`,
  );
}

test('what is missing is found by its id and stored, what is there is not replayed', async () => {
  const witness = await aWitness();
  const [mine, theirs] = [randomUUID(), randomUUID()];
  const [ofMine, ofTheirs] = [lines(mine, 200, 0, 1000), lines(theirs, 100)];
  await store(witness, [...ofMine.filter((_, i) => i % 7 !== 0), ...ofTheirs]);
  await write(witness.file, [...ofMine, ...ofTheirs]);
  await witness.writer();
  const reconciler = await witness.reconciler();
  expect(await checked(witness, mine, 200)).toEqual({ requests: 200, recorded: 200, replayed: 29, dead: 0 });
  expect(await checked(witness, theirs, 100)).toEqual({ requests: 100, recorded: 100, replayed: 0, dead: 0 });
  expect(await witness.storedIds(mine)).toEqual(sortedIds(ofMine));
  const page = await (await fetch(`http://${reconciler.adminAddress}/metrics`)).text();
  expect(page).toMatch(/tollgate_usage_replayed_total\S* 29\n/);
  expect(page).toMatch(/tollgate_usage_drift_events\S* 0\n/);
  const [event] = await witness.db.query<UsageEvent>('SELECT path, route, node_id FROM usage_events LIMIT 1');
  expect(event).toEqual({ path: '/orders', route: 'orders', node_id: 'edge-1' });
});

test('an event in the place of another is found, although the counts agree', async () => {
  const witness = await aWitness();
  const organizationId = randomUUID();
  const [lost = '', ...others] = lines(organizationId, 20);
  const stranger = aLine(organizationId, 5);
  await store(witness, [...others, stranger]);
  await write(witness.file, [lost, ...others]);
  await witness.writer();
  await witness.reconciler();
  expect(await checked(witness, organizationId, 20)).toEqual({ requests: 20, recorded: 20, replayed: 1, dead: 0 });
  expect(await witness.storedIds(organizationId)).toEqual(sortedIds([lost, ...others, stranger]));
});

test('a line that comes hours late opens its minute again, and is neither lost nor counted twice', async () => {
  const witness = await aWitness();
  const organizationId = randomUUID();
  await witness.writer();
  await witness.reconciler();
  const early = lines(organizationId, 10);
  const later = lines(organizationId, 10, 30 * MINUTE_MS);
  await write(witness.file, [...early, ...later]);
  await checked(witness, organizationId, 20);
  const late = [aLine(organizationId, 500), aLine(organizationId, 700)];
  await store(witness, late.slice(0, 1));
  await write(witness.file, late);
  expect(await checked(witness, organizationId, 22)).toEqual({ requests: 22, recorded: 22, replayed: 21, dead: 0 });
  const [first] = await witness.kept(organizationId);
  expect(first).toMatchObject({ minute: new Date(NOON_MS), requests: 12, recorded: 12 });
  expect(await witness.storedIds(organizationId)).toEqual(sortedIds([...early, ...later, ...late]));
});

test('after a restart reading goes on where it was checked, and a half line waits for its other half', async () => {
  const witness = await aWitness();
  const organizationId = randomUUID();
  const all = lines(organizationId, 90, 0, 2000);
  await witness.writer();
  const half = `${all[30]}`;
  await write(witness.file, all.slice(0, 30));
  await appendFile(witness.file, half.slice(0, 100));
  const first = await witness.reconciler();
  await checked(witness, organizationId, 30);
  await first.close();
  await appendFile(witness.file, `${half.slice(100)}\n`);
  await write(witness.file, all.slice(31));
  const second = await witness.reconciler();
  expect(await checked(witness, organizationId, 90)).toMatchObject({ requests: 90, recorded: 90 });
  await second.close();
  await witness.reconciler();
  await write(witness.file, [aLine(organizationId, 0)]);
  expect(await checked(witness, organizationId, 91)).toMatchObject({ requests: 91, recorded: 91 });
  expect(await witness.storedIds(organizationId)).toHaveLength(91);
});

test('lines that are none are counted, and cost no other line; one that was cut by a kill gives up only itself', async () => {
  const witness = await aWitness();
  const organizationId = randomUUID();
  const [one = '', two = '', three = ''] = lines(organizationId, 3);
  await witness.writer();
  await write(witness.file, ['', 'nonsense', '{"stream_id":', '[]', '{}', 'null', one]);
  await appendFile(witness.file, Buffer.from([0xff, 0xfe, 0x00, 10]));
  await write(witness.file, [`${aLine(organizationId, 0).slice(0, 200)}${two}`, aLine('nobody', 1), three]);
  const reconciler = await witness.reconciler();
  await checked(witness, organizationId, 3);
  expect(await witness.storedIds(organizationId)).toEqual(sortedIds([one, two, three]));
  const page = await (await fetch(`http://${reconciler.adminAddress}/metrics`)).text();
  expect(page).toMatch(/tollgate_usage_witness_lines_total\{kind="unparsable".*\} 7\n/);
  expect(page).toMatch(/tollgate_usage_witness_lines_total\{kind="refused".*\} 1\n/);
});

test('a log that is renamed, numbered anew, copied and emptied is read once and whole', async () => {
  const witness = await aWitness();
  const organizationId = randomUUID();
  const all = lines(organizationId, 100, 0, 3000);
  const part = (from: number) => all.slice(from, from + 20);
  await witness.writer();
  await witness.reconciler();
  await write(witness.file, part(0));
  await checked(witness, organizationId, 20);
  await rename(witness.file, `${witness.file}.1`);
  await write(`${witness.file}.1`, part(20)); // Envoy writes into the renamed file until it opens the logs anew.
  await write(witness.file, part(40));
  await checked(witness, organizationId, 60);
  await rename(`${witness.file}.1`, `${witness.file}.2`);
  await copyFile(witness.file, `${witness.file}.1`);
  await truncate(witness.file);
  await write(witness.file, part(60));
  await checked(witness, organizationId, 80);
  await write(witness.file, part(80));
  expect(await checked(witness, organizationId, 100)).toMatchObject({ requests: 100, recorded: 100 });
  expect(await witness.storedIds(organizationId)).toEqual(sortedIds(all));
});

test('what the writer refuses is replayed a bounded number of times, and then stands as a gap with its reason', async () => {
  const witness = await aWitness();
  const organizationId = randomUUID();
  // Its time is too old for the writer.
  const refused = aLine(organizationId, -90 * 86_400_000);
  const good = lines(organizationId, 5);
  await witness.writer();
  const reconciler = await witness.reconciler();
  await write(witness.file, [refused, ...good]);
  expect(await checked(witness, organizationId, 6)).toEqual({ requests: 6, recorded: 5, replayed: 6, dead: 1 });
  expect(await witness.storedIds(organizationId)).toEqual(sortedIds(good));
  const page = await (await fetch(`http://${reconciler.adminAddress}/metrics`)).text();
  expect(page).toMatch(/tollgate_usage_gap_events_total\S* 1\n/);
  const [letters] = await witness.db.query<{ count: number }>('SELECT count(*)::int AS count FROM usage_dead_letters');
  expect(letters?.count).toBe(3);
});

test('while the writer is away nothing is kept as checked, and nothing is replayed again and again', async () => {
  const witness = await aWitness();
  const organizationId = randomUUID();
  const all = lines(organizationId, 50);
  await write(witness.file, all);
  const reconciler = await witness.reconciler();
  const metric = async (name: string) =>
    Number(
      new RegExp(`^${name}\\S* (\\d+)$`, 'm').exec(await (await fetch(`http://${reconciler.adminAddress}/metrics`)).text())?.[1],
    );
  await until(async () => (await metric('tollgate_usage_replayed_total')) === 50, DEADLINE_MS, 'the replay');
  // Many looks: the writer has not stored anything, so that another replay would say nothing.
  const looks = async () => Number((await witness.db.query<{ n: string }>(LOOKS))[0]?.n);
  const before = await looks();
  await until(async () => (await looks()) > before + 30, DEADLINE_MS, 'more looks');
  expect(await metric('tollgate_usage_replayed_total')).toBe(50);
  expect(await metric('tollgate_usage_drift_events')).toBe(50);
  expect(await witness.kept(organizationId)).toEqual([]);
  await witness.writer();
  expect(await checked(witness, organizationId, 50)).toEqual({ requests: 50, recorded: 50, replayed: 50, dead: 0 });
});

/** How often this database was asked anything, more or less. */
const LOOKS = 'SELECT xact_commit AS n FROM pg_stat_database WHERE datname = current_database()';

test('two reconcilers of one gateway do not count a line twice: the second one stops', async () => {
  const witness = await aWitness();
  const organizationId = randomUUID();
  const all = lines(organizationId, 40);
  await store(witness, all);
  await write(witness.file, all);
  const eventLog = await openFileEventLogWriter({ folder: join(witness.folder, 'other') });
  await Promise.all([witness.reconciler(), witness.reconciler({ eventLog })]);
  await checked(witness, organizationId, 40);
  const more = lines(organizationId, 40, MINUTE_MS);
  await store(witness, more);
  await write(witness.file, more);
  await checked(witness, organizationId, 80);
  expect(total(await witness.kept(organizationId)).requests).toBe(80);
  await eventLog.close();
});
