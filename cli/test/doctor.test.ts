import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, utimes, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileEventLogWriter } from '@tollgate/event-log/file/file-event-log-writer';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { freshDatabase } from '@tollgate/testing/database';
import { aTopicName, sharedKafka } from '@tollgate/testing/kafka';
import { type RedisServer, startRedis } from '@tollgate/testing/redis';
import { startRedisCluster } from '@tollgate/testing/redis-cluster';
import { startRedisSentinels } from '@tollgate/testing/redis-sentinel';
import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fieldsOf, SHAPES } from './json-shapes.js';
import { anEvent } from './open-usage.js';
import { runCli } from './run-cli.js';

type Finding = { check: string; status: 'ok' | 'warn' | 'fail'; detail: string; next_step: string | null };

let database: Awaited<ReturnType<typeof freshDatabase>>;
let db: Database;
let redis: RedisServer;
let health: Server;
let healthUrl: string;

beforeAll(async () => {
  [database, redis] = await Promise.all([
    freshDatabase(),
    startRedis({ isPersistent: true, args: ['--user', 'doctor', 'on', '>canary-password', '~*', '+@all'] }),
  ]);
  const options = { url: database.url, maxConnections: 1, connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };
  db = openDatabase({ ...options, applicationName: 'test', onError: () => {} });
  health = createServer((request, response) => {
    const isDown = request.url?.startsWith('/down') === true;
    const components = isDown ? { database: { status: 'down', detail: 'gone' } } : {};
    response.writeHead(isDown ? 503 : 200).end(JSON.stringify({ status: isDown ? 'unavailable' : 'ok', components }));
  });
  await new Promise<void>((resolve) => health.listen(0, '127.0.0.1', resolve));
  healthUrl = `http://127.0.0.1:${(health.address() as AddressInfo).port}`;
});
afterAll(async () => {
  health.close();
  await Promise.all([db.close(), redis.close()]);
  await database.close();
});

async function gatewayFolder(services: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-cli-'));
  const content = { pid: 1, gatewayUrl: healthUrl, adminUrl: healthUrl, databaseUrl: database.url, services };
  await mkdir(join(folder, '.tollgate'));
  await writeFile(join(folder, '.tollgate', 'gateway.json'), JSON.stringify(content));
  return folder;
}

const redisUrl = (password = 'canary-password') => redis.url.replace('redis://', `redis://doctor:${password}@`);

async function examine(
  env: Record<string, string>,
  cwd?: string,
): Promise<{ exitCode: number | null; findings: Map<string, Finding> }> {
  const { exitCode, stdout, stderr } = await runCli(['doctor', '-o', 'json'], { env, ...(cwd === undefined ? {} : { cwd }) });
  expect(`${stdout}${stderr}`).not.toContain('canary-password');
  const rows = JSON.parse(stdout) as Finding[];
  for (const { status, next_step } of rows) expect(next_step === null).toBe(status === 'ok');
  return { exitCode, findings: new Map(rows.map((row) => [row.check, row])) };
}

test('a whole gateway is well, each part in its line', async () => {
  const cwd = await gatewayFolder({ authz: healthUrl, ratelimit: healthUrl });
  const { exitCode, findings } = await examine({ REDIS_URL: redisUrl() }, cwd);
  expect([...findings.keys()]).toEqual([
    'settings',
    'database',
    'migrations',
    'change feed',
    'redis',
    'redis eviction',
    'redis persistence',
    'redis role',
    'envoy',
    'authz',
    'ratelimit',
    'clock',
  ]);
  expect([...findings.values()].filter(({ status }) => status !== 'ok')).toEqual([]);
  expect(findings.get('database')?.detail).toMatch(/^PostgreSQL \d+/);
  expect(fieldsOf([...findings.values()][0])).toEqual(fieldsOf(SHAPES.doctor));
  expect(exitCode).toBe(0);
});

test('a service that is not ready fails, and says of what', async () => {
  const { exitCode, findings } = await examine(
    {},
    await gatewayFolder({ authz: `${healthUrl}/down`, writer: 'http://127.0.0.1:1' }),
  );
  expect(exitCode).toBe(1);
  expect(findings.get('authz')).toMatchObject({ status: 'fail', detail: expect.stringContaining('database down (gone)') });
  expect(findings.get('writer')).toMatchObject({ status: 'fail' });
  expect(findings.get('envoy')).toMatchObject({ status: 'ok' });
});

test('a service that answers on a socket is told as not asked, and is no fault', async () => {
  const { exitCode, findings } = await examine({}, await gatewayFolder({ authz: 'unix:/run/authz.sock' }));
  expect(exitCode).toBe(0);
  expect(findings.get('authz')).toMatchObject({ status: 'ok', detail: 'not asked: it answers on the socket /run/authz.sock' });
});

test('without a gateway in this folder the rest is looked at all the same', async () => {
  const { exitCode, findings } = await examine({ DATABASE_URL: database.url });
  expect(exitCode).toBe(0);
  expect(findings.get('gateway')).toMatchObject({ status: 'warn' });
});

test('a Redis that evicts, refuses or is gone fails', async () => {
  const env = { DATABASE_URL: database.url };
  const evicting = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
  const found = await examine({ ...env, REDIS_URL: evicting.url });
  expect(found.findings.get('redis')).toMatchObject({ status: 'ok', detail: expect.stringMatching(/^Redis \d/) });
  expect(found.findings.get('redis eviction')).toMatchObject({ status: 'fail', detail: 'maxmemory-policy allkeys-lru' });
  expect(found.findings.get('redis persistence')).toMatchObject({ status: 'warn', detail: 'nothing is written to disk' });
  expect(found.exitCode).toBe(1);
  await evicting.close();
  const gone = (await examine({ ...env, REDIS_URL: evicting.url })).findings.get('redis');
  expect(gone).toMatchObject({ status: 'fail', detail: 'ECONNREFUSED', next_step: expect.stringContaining('REDIS_URL') });
  const refused = await examine({ ...env, REDIS_URL: redisUrl('wrong') });
  expect(refused.exitCode).toBe(1);
  expect(refused.findings.get('redis')).toMatchObject({ status: 'fail', detail: expect.stringContaining('WRONGPASS') });
});

test('a replica fails, and the master that Sentinels name is found', async () => {
  const sentinels = await startRedisSentinels();
  const env = { DATABASE_URL: database.url };
  const replica = await examine({ ...env, REDIS_URL: sentinels.replica.url });
  expect(replica.findings.get('redis role')).toMatchObject({
    status: 'fail',
    next_step: expect.stringContaining('redis+sentinel'),
  });
  expect((await examine({ ...env, REDIS_URL: sentinels.url })).findings.get('redis role')).toMatchObject({ status: 'ok' });
  const unknown = await examine({ ...env, REDIS_URL: sentinels.url.replace('/limits', '/others') });
  expect(unknown.findings.get('redis')).toMatchObject({
    status: 'fail',
    detail: expect.stringContaining('no Sentinel leads to'),
  });
  await sentinels.close();
});

test('a cluster is told node by node, and one that lacks a master fails', async () => {
  const cluster = await startRedisCluster({ nodeTimeoutMs: 500 });
  const env = { DATABASE_URL: database.url, REDIS_URL: cluster.url };
  const whole = (await examine(env)).findings;
  expect(whole.get('redis cluster')).toMatchObject({ status: 'ok', detail: expect.stringContaining('16384 of 16384') });
  expect([...whole.keys()].filter((check) => check.endsWith(' eviction'))).toHaveLength(3);

  await cluster.masters[2]?.kill(); // which has no replica
  const { exitCode, findings } = await until(async () => {
    const found = await examine(env);
    return found.findings.get('redis cluster')?.status === 'fail' && found;
  }, 20_000);
  expect(exitCode).toBe(1);
  expect([...findings.values()].filter(({ detail }) => detail === 'ECONNREFUSED')).toHaveLength(1);
  await cluster.close();
});

test('a Kafka is looked at, and its topics that are missing or on one broker only', async () => {
  const { brokers } = await sharedKafka();
  const env = { DATABASE_URL: database.url, KAFKA_BROKERS: brokers.join(','), KAFKA_TOPIC: aTopicName() };
  const missing = await examine(env);
  expect(missing.exitCode).toBe(1);
  expect(missing.findings.get('kafka')).toMatchObject({ status: 'ok' });
  expect(missing.findings.get(`topic ${env.KAFKA_TOPIC}`)).toMatchObject({ status: 'fail', detail: 'is not there' });
  await runCli(['migrate', 'up'], { env });
  const made = await examine(env);
  expect(made.exitCode).toBe(0);
  expect(made.findings.get(`topic ${env.KAFKA_TOPIC}-dead-letter`)).toMatchObject({
    status: 'warn',
    detail: '12 partitions, 1 of 1 replicas in sync, 1 needed',
  });
  const gone = await examine({ ...env, KAFKA_BROKERS: '127.0.0.1:1' });
  expect(gone.findings.get('kafka')).toMatchObject({ status: 'fail' });
});

test('a reconciler that has fallen behind, and replays that nobody stores, are told', async () => {
  const cwd = await gatewayFolder({});
  const env = { DATABASE_URL: database.url };
  expect([...(await examine(env, cwd)).findings.keys()].filter((check) => /^(reconciler|replays)/.test(check))).toEqual([]);

  const log = await openFileEventLogWriter({ folder: join(cwd, '.tollgate', 'replays') });
  await db.query(
    `INSERT INTO usage_witness_nodes VALUES ('edge-1', now(), now() - interval '1 minute'),
       ('edge-2', now(), now() - interval '2 hours'), ('of last year', now(), now() - interval '1 year')`,
  );
  const well = (await examine(env, cwd)).findings;
  expect(well.get('replays')).toMatchObject({ status: 'ok' });
  expect(well.get('reconciler edge-1')).toMatchObject({ status: 'ok' });
  expect(well.get('reconciler edge-2')).toMatchObject({ status: 'warn', detail: expect.stringContaining('120 min ago') });
  expect(well.has('reconciler of last year')).toBe(false);

  await log.append([anEvent(randomUUID())]);
  await log.close();
  expect((await examine(env, cwd)).findings.get('replays')).toMatchObject({
    status: 'ok',
    detail: expect.stringContaining('wait for the writer'),
  });
  const [segment = ''] = (await readdir(join(cwd, '.tollgate', 'replays'))).filter((name) => name.endsWith('.log'));
  const before = new Date(Date.now() - 5 * 60_000);
  await utimes(join(cwd, '.tollgate', 'replays', segment), before, before);
  expect((await examine(env, cwd)).findings.get('replays')).toMatchObject({
    status: 'warn',
    next_step: expect.stringContaining('writer'),
  });
  await db.query('DELETE FROM usage_witness_nodes');
});

test('a switched-off trigger of the change feed fails', async () => {
  await db.query('ALTER TABLE api_keys DISABLE TRIGGER api_keys_updated');
  const { exitCode, findings } = await examine({ DATABASE_URL: database.url });
  await db.query('ALTER TABLE api_keys ENABLE TRIGGER api_keys_updated');
  expect(exitCode).toBe(1);
  expect(findings.get('change feed')).toMatchObject({ status: 'fail', detail: expect.stringContaining('api_keys_updated') });
});

test('a database without our tables is told to be migrated', async () => {
  const empty = await freshDatabase({ isMigrated: false });
  const { exitCode, findings } = await examine({ DATABASE_URL: empty.url });
  await empty.close();
  expect(exitCode).toBe(1);
  expect(findings.get('migrations')).toMatchObject({ status: 'fail', next_step: 'Run tollgate migrate up.' });
});

test('bad settings, no database and one that is gone are findings, and no end', async () => {
  expect((await examine({ DATABASE_URL: 'canary-password' })).findings.get('settings')).toMatchObject({ status: 'fail' });
  expect((await examine({})).findings.get('database')).toMatchObject({ status: 'fail' });
  const gone = await examine({ DATABASE_URL: 'postgres://a:canary-password@127.0.0.1:1/b' });
  expect(gone.findings.get('database')).toMatchObject({ status: 'fail' });
  expect(gone.exitCode).toBe(1);
});

test('an event log that nobody has stored is told with its size', async () => {
  const folder = await gatewayFolder({});
  const events = join(folder, '.tollgate', 'events');
  const { openFileEventLogWriter } = await import('@tollgate/event-log/file/file-event-log-writer');
  await (await openFileEventLogWriter({ folder: events })).close();
  expect((await examine({}, folder)).findings.get('event log')).toMatchObject({
    status: 'ok',
    detail: expect.stringContaining('0.0 MiB'),
  });
});
