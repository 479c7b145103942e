import type { UsageEvent } from '@tollgate/domain/usage-event';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { storeUsage } from '@tollgate/postgres/usage-store';
import { freshDatabase } from '@tollgate/testing/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { plain } from '../src/printable.js';
import { fieldsOf, SHAPES } from './json-shapes.js';
import { type Cli, cliHere, cliOn } from './run-cli.js';

let close: () => Promise<void>;
let cli: Cli;
let program: Cli;
let event: UsageEvent;

const YESTERDAY = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
const TODAY = new Date().toISOString().slice(0, 10);
const HOSTILE = 'orders\u001b[2J\u009b\u202e';

type Usage = typeof SHAPES.usage;

async function store(db: Database, events: UsageEvent[]): Promise<void> {
  const place = { group: 'writer', logId: 'log', topic: 'usage-events', partition: 0, startOffset: 0n };
  await storeUsage(db, { ...place, nextOffset: BigInt(events.length), events, deadLetters: [] });
}

beforeAll(async () => {
  const database = await freshDatabase();
  cli = cliHere(database.url);
  program = cliOn(database.url);
  const { id } = await cli.json<{ id: string }>('org', 'create', '--name', 'Acme');
  const options = { url: database.url, maxConnections: 1, connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };
  const db = openDatabase({ ...options, applicationName: 'test', onError: () => {} });
  close = async () => {
    await db.close();
    await database.close();
  };
  event = {
    v: 1,
    event_id: '0'.repeat(32),
    time: `${YESTERDAY}T10:30:00.000000Z`,
    request_id: 'r',
    organization_id: id,
    api_key_id: '0f8fad5b-d9cb-469f-a165-70867728950e',
    environment: 'live',
    method: 'GET',
    path: '/',
    route: 'orders',
    status_code: 200,
    response_time_ms: 10,
    request_bytes: 5,
    response_bytes: 100,
    billable: true,
    units: 2,
    origin: 'upstream',
  };
  await store(db, [
    event,
    { ...event, event_id: '1'.repeat(32), time: `${YESTERDAY}T11:00:00.000000Z`, response_time_ms: 30, route: HOSTILE },
    {
      ...event,
      event_id: '2'.repeat(32),
      time: `${YESTERDAY}T11:00:01.000000Z`,
      status_code: 503,
      billable: false,
      origin: 'gateway',
    },
    { ...event, event_id: '3'.repeat(32), time: `${TODAY}T00:00:00.000000Z` },
  ]);
});
afterAll(() => close());

const show = <Value = Usage[]>(...words: string[]) =>
  cli.json<Value>('usage', 'show', '--org', 'Acme', '--from', YESTERDAY, '--to', TODAY, ...words);

test('usage of a range counts what began in it, and not what began at its end', async () => {
  const rows = await show('--by', 'total');
  expect(fieldsOf(rows[0])).toEqual(fieldsOf(SHAPES.usage));
  expect(rows).toMatchObject([
    { period_start: `${YESTERDAY}T00:00:00.000Z`, requests: 3, billable_requests: 2, billable_units: 4 },
  ]);
  expect(rows).toMatchObject([{ request_bytes: 15, response_bytes: 300, max_response_time_ms: 30 }]);
});

test('usage is shown by day unless told otherwise, by hour, key and status', async () => {
  expect(await show()).toMatchObject([{ period_start: `${YESTERDAY}T00:00:00.000Z`, requests: 3 }]);
  expect((await show('--by', 'hour')).map(({ requests }) => requests)).toEqual([1, 2]);
  expect(await show('--by', 'key')).toMatchObject([{ api_key_id: event.api_key_id, requests: 3 }]);
  expect(await show('--by', 'status')).toMatchObject([
    { status_code: 200, requests: 2 },
    { status_code: 503, requests: 1 },
  ]);
});

test('every grouping is there as a table, JSON, CSV and ids', async () => {
  for (const by of ['hour', 'day', 'month', 'total', 'route', 'key', 'status']) {
    const words = ['usage', 'show', '--org', 'Acme', '--from', YESTERDAY, '--to', TODAY, '--by', by];
    const rows = await cli.json<Record<string, unknown>[]>(...words);
    const run = async (format: string) => (await cli.run(...words, '-o', format)).stdout;
    const [head, ...lines] = (await run('csv')).trimEnd().split('\r\n');
    expect(head).toBe(Object.keys(rows[0] ?? {}).join(','));
    expect(lines).toHaveLength(rows.length);
    const ids = (await run('id')).trimEnd().split('\n');
    // The first field of a row names it; of a group it is the group.
    expect(ids).toEqual(rows.map((row) => plain(Object.values(row)[0] as string | number)));
    expect((await run('table')).trimEnd().split('\n')).toHaveLength(rows.length + 1);
  }
});

test('the range is told on stderr, and without one it is this month up to now', async () => {
  const { stderr } = await program.run('usage', 'show', '--org', 'Acme');
  expect(stderr).toContain(`from ${TODAY.slice(0, 7)}-01T00:00:00.000Z up to, but without, ${TODAY.slice(0, 4)}`);
  expect(stderr).toContain('UTC');
});

test('a route that a stranger named acts on no terminal, and is whole in JSON', async () => {
  const rows = await show<{ route: string }[]>('--by', 'route');
  expect(rows.map(({ route }) => route)).toContain(HOSTILE);
  for (const format of ['table', 'csv', 'json']) {
    const { stdout } = await cli.run('usage', 'show', '--org', 'Acme', '--from', YESTERDAY, '--by', 'route', '-o', format);
    expect(stdout).toContain('orders');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for.
    expect(stdout.replaceAll(/\r?\n/g, '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  }
});

test('an empty range is an empty list, and CSV has its header all the same', async () => {
  const words = ['usage', 'show', '--org', 'Acme', '--from', '2020-01-01', '--to', '2020-02-01'];
  expect(await cli.json(...words)).toEqual([]);
  expect((await cli.run(...words, '-o', 'csv')).stdout).toBe(`${Object.keys(SHAPES.usage).join(',')}\r\n`);
  expect(await cli.run(...words)).toMatchObject({ exitCode: 0, stdout: '', stderr: expect.stringContaining('Nothing found.') });
});
