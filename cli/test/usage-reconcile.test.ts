import type { UsageEvent } from '@tollgate/domain/usage-event';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { storeUsage } from '@tollgate/postgres/usage-store';
import { keepWitness } from '@tollgate/postgres/usage-witness';
import { freshDatabase } from '@tollgate/testing/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cli, cliHere } from './run-cli.js';

const HOUR = new Date(Math.floor(Date.now() / 3_600_000 - 1) * 3_600_000);
const HOUR_MS = 3_600_000;
const NODE = 'edge\u001b[2J';

let cli: Cli;
let db: Database;
let close: () => Promise<void>;
let organizationId: string;

const eventAt = (ms: number): UsageEvent => ({
  ...{ v: 1, event_id: ms.toString(16).padStart(32, '0'), request_id: 'r', organization_id: organizationId },
  ...{ api_key_id: '0f8fad5b-d9cb-469f-a165-70867728950e', environment: 'live', method: 'GET', path: '/', route: 'orders' },
  ...{ status_code: 200, response_time_ms: 1, request_bytes: 0, response_bytes: 0, billable: true, units: 1, origin: 'upstream' },
  time: `${new Date(HOUR.getTime() + ms).toISOString().slice(0, -1)}000Z`,
  node_id: NODE,
});

beforeAll(async () => {
  const database = await freshDatabase();
  cli = cliHere(database.url);
  organizationId = (await cli.json<{ id: string }>('org', 'create', '--name', 'Acme')).id;
  const options = { url: database.url, maxConnections: 1, connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };
  db = openDatabase({ ...options, applicationName: 'test', onError: () => {} });
  close = async () => {
    await db.close();
    await database.close();
  };
  const place = { group: 'g', logId: 'l', topic: 't', partition: 0, startOffset: 0n, nextOffset: 1n, deadLetters: [] };
  await storeUsage(db, { ...place, events: [eventAt(1), eventAt(2), eventAt(60_001)] });
  const row = { organizationId, billableUnits: 2, deadLettered: 0, minute: HOUR };
  await keepWitness(db, {
    nodeId: NODE,
    rows: [
      { ...row, requests: 2, idsXor: 3n, recorded: 2, replayed: 1 },
      { ...row, requests: 2, idsXor: 60_001n ^ 60_002n, recorded: 1, replayed: 1, minute: new Date(HOUR.getTime() + 60_000) },
    ],
    files: [],
    checkedUntil: new Date(HOUR.getTime() + HOUR_MS),
  });
});
afterAll(() => close());

const minute = (n: number) => new Date(HOUR.getTime() + n * 60_000).toISOString();
const reconcile = (...words: string[]) => cli.run('usage', 'reconcile', '--org', 'Acme', ...words);

test('a range in which all is stored passes, and tells what had to be replayed', async () => {
  const run = await reconcile('--from', minute(0), '--to', minute(1), '-o', 'json');
  expect(run.exitCode).toBe(0);
  expect(JSON.parse(run.stdout)).toEqual({
    ...{ organization_id: organizationId, from: minute(0), to: minute(1), proxied: 2, recorded: 2, difference: 0, replayed: 1 },
    ...{ gap_requests: 0, is_witnessed: true },
    gaps: [{ node_id: NODE, minute: minute(0), requests: 1, reason: 'replayed' }],
  });
});

test('a difference that stays is named with its gateway and minute, and is exit code 1', async () => {
  const run = await reconcile('--from', minute(0), '--to', minute(2));
  expect(run.exitCode).toBe(1);
  expect(run.stdout).toMatch(/Proxied +4\nRecorded +3\nDifference +1\nReplayed +1\nIn gaps +1\nWitnessed +true\n/);
  expect(run.stdout).toMatch(new RegExp(`${minute(1).replace('.000', '')} +edge\\[2J +1 +not_stored`));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for.
  expect(run.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
});

test('a range that nobody watched is no pass, and the words say what was watched', async () => {
  const never = await reconcile('--from', minute(-300), '--to', minute(-200));
  expect(never).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('No reconciler watched any of it') });
  const partly = await reconcile('--from', minute(-1), '--to', minute(1));
  expect(partly).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`from ${minute(0)} to ${minute(60)}`) });
  expect((await reconcile()).exitCode).toBe(1);
});

test('what cannot be compared is told before anything is compared', async () => {
  expect(await reconcile('--from', minute(1), '--to', minute(0))).toMatchObject({ exitCode: 2 });
  expect(await reconcile('--from', '2020-01-01')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('90 days') });
  expect(await cli.run('usage', 'reconcile')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('--org is required'),
  });
});
