import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import { createFileEventLogReader } from '@tollgate/event-log/file/file-event-log-reader';
import { openFileEventLogWriter } from '@tollgate/event-log/file/file-event-log-writer';
import { encodeRecord } from '@tollgate/event-log/file/record';
import { freshDatabase } from '@tollgate/testing/database';
import { until } from '@tollgate/testing/until';
import { build } from 'esbuild';
import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { readConfig as readCollectorConfig } from '../src/collector/config.js';
import { startCollector } from '../src/collector/service.js';
import { readConfig as readWriterConfig } from '../src/writer/config.js';
import { startWriter, type WriterOverrides } from '../src/writer/service.js';
import { openAccessLogStream } from './collector/access-log-client.js';
import { aMessage, anEntry } from './collector/an-entry.js';

const DEADLINE_MS = 30_000;
const NOW_SECONDS = Math.floor(Date.now() / 1000);

let database: Awaited<ReturnType<typeof freshDatabase>>;
let pool: pg.Pool;

beforeAll(async () => {
  database = await freshDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
});
afterAll(async () => {
  await pool.end();
  await database.close();
});

async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'usage-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function aCollector(folder: string) {
  const settings = { COLLECTOR_LISTEN: `unix:${join(folder, 'als.sock')}`, ADMIN_LISTEN: '127.0.0.1:0' };
  return closedLater(await startCollector(readCollectorConfig({ ...settings, DATA_DIR: folder, LOG_LEVEL: 'silent' })));
}

async function aWriter(folder: string, overrides: WriterOverrides = {}) {
  const settings = { DATABASE_URL: database.url, ADMIN_LISTEN: '127.0.0.1:0', DATA_DIR: folder, LOG_LEVEL: 'silent' };
  return closedLater(await startWriter(readWriterConfig(settings), overrides));
}

function closedLater<Service extends { close(): Promise<void> }>(service: Service): Service {
  let closing: Promise<void> | undefined;
  const close: Service['close'] = (...how: []) => {
    closing ??= service.close(...how);
    return closing;
  };
  onTestFinished(close);
  return { ...service, close };
}

/** Rows of one organization: each test has its own, so that they share a database. */
async function requestIdsOf(organizationId: string): Promise<string[]> {
  const sql = 'SELECT request_id FROM usage_events WHERE organization_id = $1 ORDER BY request_id';
  return (await pool.query<{ request_id: string }>(sql, [organizationId])).rows.map((row) => row.request_id);
}

const metadataOf = (organizationId: string) => ({
  'envoy.filters.http.ext_authz': { organization_id: organizationId, key_id: randomUUID(), environment: 'live' },
});

function anEventOf(organizationId: string, number: number): UsageEvent {
  return {
    v: 1,
    event_id: number.toString(16).padStart(32, '0'),
    time: `${new Date((NOW_SECONDS - (number % 7200)) * 1000).toISOString().slice(0, -1)}000Z`,
    request_id: String(number).padStart(6, '0'),
    organization_id: organizationId,
    api_key_id: randomUUID(),
    environment: 'live',
    method: 'GET',
    path: '/',
    route: 'all',
    status_code: 200,
    response_time_ms: 1,
    request_bytes: 0,
    response_bytes: 0,
    billable: true,
    units: 1,
    origin: 'upstream',
  };
}

async function countOf(organizationId: string): Promise<number> {
  const sql = 'SELECT count(*)::int AS count FROM usage_events WHERE organization_id = $1';
  return (await pool.query<{ count: number }>(sql, [organizationId])).rows[0]?.count ?? 0;
}

/** The writer's main as one file, to be started as a process of its own. */
async function aWriterProgram(folder: string): Promise<string> {
  const outfile = join(folder, 'writer.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('../src/writer/main.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['pg-native', 'cloudflare:sockets'],
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    loader: { '.node': 'copy' },
    logLevel: 'error',
  });
  return outfile;
}

const names = (count: number) => Array.from({ length: count }, (_, number) => String(number).padStart(6, '0'));

async function fillLog(folder: string, organizationId: string, count: number): Promise<void> {
  const log = await openFileEventLogWriter({ folder: join(folder, 'events') });
  await log.append(Array.from({ length: count }, (_, number) => anEventOf(organizationId, number)));
  await log.close();
}

test('what Envoy tells becomes rows, one for each request however often it was told', async () => {
  const folder = await aFolder();
  const organizationId = randomUUID();
  const collector = await aCollector(folder);
  const writer = await aWriter(folder);
  const metadata = metadataOf(organizationId);
  const entries = names(50).map((streamId) => anEntry({ streamId, metadata, startSeconds: NOW_SECONDS }));
  for (const twice of [1, 2]) {
    const stream = openAccessLogStream(collector.address);
    stream.write(aMessage(entries.slice(0, 30), 'edge-1'));
    stream.write(aMessage(twice === 1 ? entries.slice(20) : entries));
    await stream.end();
    stream.close();
  }
  await collector.close();
  await writer.close({ drain: true });
  expect(await requestIdsOf(organizationId)).toEqual(names(50));
  const { rows } = await pool.query('SELECT sum(requests)::int AS requests FROM usage_hourly WHERE organization_id = $1', [
    organizationId,
  ]);
  expect(rows).toEqual([{ requests: 50 }]);
});

test('a drained writer has stored all that a closed collector took in', async () => {
  const folder = await aFolder();
  const organizationId = randomUUID();
  await fillLog(folder, organizationId, 5000);
  const writer = await aWriter(folder);
  await writer.close({ drain: true });
  expect(await requestIdsOf(organizationId)).toHaveLength(5000);
});

test('a writer that went away between any two batches is followed by one that loses and doubles nothing', async () => {
  const folder = await aFolder();
  const organizationId = randomUUID();
  await fillLog(folder, organizationId, 600);
  for (let life = 1; life <= 6; life += 1) {
    const reader = createFileEventLogReader({ folder: join(folder, 'events'), group: 'usage-writer', maxBatch: 40, pollMs: 5 });
    const writer = await aWriter(folder, { reader });
    await until(async () => (await requestIdsOf(organizationId)).length >= Math.min(600, life * 100), DEADLINE_MS);
    await writer.close();
  }
  expect(await requestIdsOf(organizationId)).toEqual(names(600));
  const { rows } = await pool.query('SELECT sum(requests)::int AS requests FROM usage_hourly WHERE organization_id = $1', [
    organizationId,
  ]);
  expect(rows).toEqual([{ requests: 600 }]);
});

test('a writer killed at any moment leaves a log from which the next one stores the rest, once', async () => {
  const folder = await aFolder();
  const organizationId = randomUUID();
  const count = 50_000;
  await fillLog(folder, organizationId, count);
  const script = await aWriterProgram(folder);
  const env = { DATABASE_URL: database.url, ADMIN_LISTEN: '127.0.0.1:0', DATA_DIR: folder, LOG_LEVEL: 'silent' };
  for (const killAt of [1, 9_000, 18_000]) {
    const child = spawn(process.execPath, [script], { env, stdio: 'ignore' });
    const exited = once(child, 'exit');
    onTestFinished(() => void child.kill('SIGKILL'));
    await until(async () => (await countOf(organizationId)) >= killAt, DEADLINE_MS);
    child.kill('SIGKILL');
    expect(await exited).toEqual([null, 'SIGKILL']);
  }
  const before = await countOf(organizationId);
  const writer = await aWriter(folder);
  await writer.close({ drain: true });
  expect(before).toBeLessThan(count);
  expect(await requestIdsOf(organizationId)).toEqual(names(count));
});

test('two writers at once neither lose nor double', async () => {
  const folder = await aFolder();
  const organizationId = randomUUID();
  await fillLog(folder, organizationId, 2000);
  const readers = [31, 47].map((maxBatch) =>
    createFileEventLogReader({ folder: join(folder, 'events'), group: 'usage-writer', maxBatch, pollMs: 5, maxPauseMs: 100 }),
  );
  const writers = await Promise.all(readers.map((reader) => aWriter(folder, { reader })));
  await until(async () => (await requestIdsOf(organizationId)).length === 2000, DEADLINE_MS);
  await Promise.all(writers.map((writer) => writer.close()));
  expect(await requestIdsOf(organizationId)).toEqual(names(2000));
});

test('poison in the log becomes dead letters with their place and reason, and the events around it become rows', async () => {
  const folder = await aFolder();
  const organizationId = randomUUID();
  const poison = [
    Buffer.from([0xff, 0x00]),
    Buffer.from('{"v":2}'),
    Buffer.from(JSON.stringify({ ...anEventOf(organizationId, 7), units: -5 })),
    Buffer.from(JSON.stringify({ ...anEventOf(organizationId, 8), time: '9999-12-31T00:00:00.000000Z' })),
  ];
  await fillLog(folder, organizationId, 3);
  const [segment = ''] = (await readdir(join(folder, 'events'))).filter((name) => name.endsWith('.log'));
  for (const value of poison) await appendFile(join(folder, 'events', segment), encodeRecord(value));
  const log = await openFileEventLogWriter({ folder: join(folder, 'events') });
  await log.append([anEventOf(organizationId, 3)]);
  await log.close();

  const writer = await aWriter(folder);
  await until(async () => (await requestIdsOf(organizationId)).length === 4, DEADLINE_MS);
  const page = await (await fetch(`http://${writer.adminAddress}/metrics`)).text();
  expect(page).toMatch(/tollgate_usage_events_total\{stage="dead".*\} 4\n/);
  expect(page).toMatch(/tollgate_usage_lag_events\S* 0\n/);
  const newest = /^tollgate_usage_newest_stored_timestamp_seconds\S* (\S+)$/m.exec(page)?.[1];
  expect(Number(newest), 'of the dead letters none, of the four events the newest').toBe(NOW_SECONDS);
  await writer.close();
  const { rows } = await pool.query<{ reason: string; value: Buffer; offset: string }>(
    'SELECT reason, value, "offset" FROM usage_dead_letters ORDER BY "offset"',
  );
  expect(rows.map((row) => row.reason)).toEqual(['not UTF-8', 'unknown version (v)', 'invalid units', 'too far ahead (time)']);
  expect(rows.map((row) => Buffer.compare(row.value, poison[rows.indexOf(row)] ?? Buffer.alloc(0)))).toEqual([0, 0, 0, 0]);
  expect(await requestIdsOf(organizationId)).toEqual(names(4));
});

test('an offset that the log does not have stops reading loudly and leaves the process to be looked at', async () => {
  const folder = await aFolder();
  const organizationId = randomUUID();
  await fillLog(folder, organizationId, 10);
  await (await aWriter(folder)).close({ drain: true });
  const { rowCount } = await pool.query(
    'UPDATE consumer_offsets SET next_offset = next_offset + 1000000 WHERE log_id = (SELECT log_id FROM consumer_offsets ORDER BY updated_at DESC LIMIT 1)',
  );
  expect(rowCount).toBe(1);
  const writer = await aWriter(folder);
  await until(async () => (await fetch(`http://${writer.adminAddress}/health/ready`)).status === 503, DEADLINE_MS);
  expect(await (await fetch(`http://${writer.adminAddress}/metrics`)).text()).toMatch(
    /tollgate_usage_writer_problems_total\{problem="offset_out_of_range".*\} 1\n/,
  );
});
