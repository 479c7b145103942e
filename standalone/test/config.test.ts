import { mkdtemp, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readAllSettings } from '@tollgate/standalone/check-settings';
import { readConfig, serviceSettings } from '@tollgate/standalone/config';
import { expect, test } from 'vitest';

const read = (env: Record<string, string>) => readConfig(env, '/me');

test('without any setting there is a whole gateway in this folder', () => {
  expect(read({})).toMatchObject({
    gatewayPort: 8080,
    envoyAdminPort: 9901,
    upstreamUrl: undefined,
    upstreamTimeoutMs: 15_000,
    dataFolder: resolve('.tollgate'),
    cacheFolder: '/me/.cache/tollgate',
    databaseUrl: undefined,
    redisUrl: undefined,
    tls: undefined,
  });
});

test('a certificate without its key is refused, and the other way round', () => {
  expect(() => read({ GATEWAY_TLS_CERT_FILE: 'a.pem' })).toThrow('belong together');
  expect(() => read({ GATEWAY_TLS_KEY_FILE: 'a.key' })).toThrow('belong together');
  const { tls } = read({ GATEWAY_TLS_CERT_FILE: 'a.pem', GATEWAY_TLS_KEY_FILE: '/b.key' });
  expect(tls).toEqual({ certFile: resolve('a.pem'), keyFile: '/b.key' });
});

test('routes stand in place of the one upstream, and each mistake in their file is told with its line', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-routes-'));
  const good = join(folder, 'good.yaml');
  await writeFile(good, '- { name: api, prefix: /api, upstream: "http://api:3000", timeout: 2s }\n');
  expect(read({ ROUTES_FILE: good })).toMatchObject({ routes: [{ name: 'api', prefix: '/api', timeoutMs: 2000 }] });
  expect(() => read({ ROUTES_FILE: good, UPSTREAM_URL: 'http://api:3000' })).toThrow('exclude each other');
  expect(() => read({ ROUTES_FILE: join(folder, 'none') })).toThrow(/ROUTES_FILE: .*ENOENT/);
  const bad = join(folder, 'bad.yaml');
  await writeFile(bad, '- name: api\n  prefix: api\n  upstream: http://api\n  scop: x\n- {}\n');
  expect(() => readAllSettings({ ROUTES_FILE: bad }, homedir())).toThrow(/bad\.yaml:4: .*"scop"[\s\S]*bad\.yaml:5: /);
});

test('how to reach Kafka is read by the same settings as the services have', () => {
  const env = { KAFKA_BROKERS: 'one:9092,two:9092', KAFKA_REPLICATION: '3' };
  const kafka = { brokers: ['one:9092', 'two:9092'], tls: undefined, sasl: undefined };
  expect(read(env)).toMatchObject({ kafka, kafkaTopic: 'usage-events', kafkaPartitions: 12, kafkaReplication: 3 });
  expect(() => read({ KAFKA_BROKERS: 'localhost' })).toThrow(/KAFKA_BROKERS must be host:port/);
});

test("every mistake is told at once and each once, in the services' own settings too", () => {
  const env = { GATEWAY_PORT: '-1', LOG_LEVEL: 'loud', KEY_CACHE_SIZE: 'many', USAGE_PATH: 'some', RATELIMIT_INSTANCES: '0' };
  let message = '';
  try {
    readAllSettings(env, homedir());
  } catch (error) {
    message = String(error);
  }
  for (const name of Object.keys(env)) expect(message.split(`  ${name} `)).toHaveLength(2);
});

test('an upstream that Envoy could not be told of is a bad setting', () => {
  expect(() => readAllSettings({ UPSTREAM_URL: 'http://localhost:3000/base' }, homedir())).toThrow(/UPSTREAM_URL must be a host/);
});

test('no secret stands in the words about a mistake', () => {
  const env = { DATABASE_URL: 'mysql://me:open-sesame@db/x', REDIS_URL: 'http://:open-sesame@redis' };
  expect(() => readAllSettings(env, homedir())).toThrow(/DATABASE_URL[\s\S]*REDIS_URL/);
  expect(() => readAllSettings(env, homedir())).not.toThrow(/open-sesame/);
});

test('what every part takes is read in one go, and good settings pass', () => {
  const env = { MAX_STALE: '1m', REDIS_URL: 'redis://localhost', USAGE_PATH: 'route' };
  expect(readAllSettings(env, homedir())).toEqual(readConfig(env, homedir()));
});

test('each service listens on a socket of its own and knows the one database, whatever the user has set for it', () => {
  const settings = serviceSettings({ dataFolder: '/data', redisUrl: undefined }, 'postgres://db', '/run', 'here');
  expect(settings).toMatchObject({
    authz: {
      AUTHZ_LISTEN: 'unix:/run/authz.sock',
      DATABASE_URL: 'postgres://db',
      DATABASE_URL_FILE: '',
      ADMIN_LISTEN: '127.0.0.1:0',
    },
    ratelimit: { RATELIMIT_LISTEN: 'unix:/run/ratelimit.sock', RATELIMIT_STORE: 'memory', DATA_DIR: '/data' },
    collector: { COLLECTOR_LISTEN: 'unix:/run/collector.sock', DATA_DIR: '/data' },
    writer: { DATABASE_URL: 'postgres://db', DATA_DIR: '/data' },
    reconciler: { USAGE_FILE: '/data/envoy/usage.jsonl', USAGE_NODE_ID: 'here', DATA_DIR: '/data' },
  });
  const withRedis = serviceSettings({ dataFolder: '/data', redisUrl: 'redis://redis' }, 'postgres://db', '/run', 'here');
  expect(withRedis.ratelimit['RATELIMIT_STORE']).toBe('redis');
});
