import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@tollgate/embedded/free-port';
import { startRedis } from '@tollgate/testing/redis';
import { type RedisCluster, startRedisCluster } from '@tollgate/testing/redis-cluster';
import { redisCommand } from '@tollgate/testing/redis-command';
import { type RedisSentinels, startRedisSentinels } from '@tollgate/testing/redis-sentinel';
import { tlsArguments } from '@tollgate/testing/redis-tls';
import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { makeAuthority } from '../../../service-kit/test/certificates.js';
import type { PartedLimitStore } from '../../src/degrading-limit-store.js';
import { limitStoreBehaves, only, rate, taker } from '../limit-store-behaves.js';
import { connectedStore, openedStore, PATIENT, redisClock } from './open-redis-store.js';

const behaves = async (url: string) => {
  const store = await connectedStore({ url, ...PATIENT });
  return { store, advance: redisClock(store), close: () => store.close() };
};

describe('a cluster of three masters', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster.close());

  limitStoreBehaves('redis cluster', () => behaves(cluster.url));

  test('organizations are spread over the masters, each on one with all its limits', async () => {
    const store = await connectedStore({ url: cluster.url, ...PATIENT });
    const limits = [rate(1, 5), { ...rate(1, 5), id: 'key' }];
    const parts = new Set<string>();
    for (let i = 0; i < 50; i++) {
      expect((await taker(store, limits, `organization ${i}`)(1)).isAllowed).toBe(true);
      parts.add(store.partOf(`organization ${i}`));
    }
    expect(parts.size).toBe(3);
  });

  test('forgotten scripts are sent again, and each take counts once', async () => {
    const store = await connectedStore({ url: cluster.url, ...PATIENT });
    for (let i = 1; i <= 3; i++) {
      await cluster.onEach('SCRIPT', 'FLUSH');
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f'])
        expect(only(await taker(store, [rate(1, 9)], `flushed ${name}`)(1)).remaining).toBe(9 - i);
    }
  });
});

describe('the master that Sentinels name', () => {
  let sentinels: RedisSentinels;
  beforeAll(async () => {
    sentinels = await startRedisSentinels();
  });
  afterAll(() => sentinels.close());

  limitStoreBehaves('redis by sentinel', () => behaves(sentinels.url));

  test('a name that no Sentinel knows is no connection, and is told', async () => {
    const told: unknown[] = [];
    const url = sentinels.url.replace('/limits', '/unknown');
    const store = openedStore({ url, ...PATIENT, onConnection: (_, cause) => told.push(cause) });
    await until(() => told.some((cause) => String((cause as Error | undefined)?.cause).includes('unreachable')));
    await expect(store.ping()).rejects.toThrow('no connection');
  });

  test('Sentinels with a login of their own are asked with it, and tell nobody else', async () => {
    for (const port of sentinels.ports) await redisCommand(port, 'ACL', 'SETUSER', 'watcher', 'on', '>other-horse', '+@all');
    for (const port of sentinels.ports) await redisCommand(port, 'ACL', 'SETUSER', 'default', 'off');
    const { url } = sentinels;
    const store = await connectedStore({ url, sentinelUsername: 'watcher', sentinelPassword: 'other-horse', ...PATIENT });
    expect(only(await taker(store, [rate(1, 5)])(1)).remaining).toBe(4);
    const told: string[] = [];
    openedStore({ url, onConnection: (_, cause) => cause && told.push(String(cause.cause)) });
    expect(await until(() => told[0])).toMatch(/NOAUTH|unreachable/);
  });
});

describe('TLS everywhere', () => {
  const authority = makeAuthority('tests');
  const { certPem: cert, keyPem: key } = authority.issue(['IP:127.0.0.1']);
  const ours = { tls: { ca: authority.certPem, cert, key } };
  let files: PemFiles;
  beforeAll(async () => {
    files = await pemFiles({ cert, key, ca: authority.certPem });
  });
  afterAll(() => files.remove());

  test('to Sentinels, the master that they name, and the masters of a cluster, each verified', async () => {
    const [sentinels, cluster] = await Promise.all([startRedisSentinels({ tls: files }), startRedisCluster({ tls: files })]);
    onTestFinished(async () => void (await Promise.all([sentinels.close(), cluster.close()])));
    for (const { url } of [sentinels, cluster]) {
      const store = await connectedStore({ url, ...ours, ...PATIENT });
      for (const name of ['a', 'b', 'c', 'd', 'e']) expect(only(await taker(store, [rate(1, 5)], name)(1)).remaining).toBe(4);
      const stranger = openedStore({ url, tls: { ...ours.tls, ca: makeAuthority('others').certPem }, ...PATIENT });
      await expect(until(() => stranger.ping().then(() => true), 2_000)).rejects.toThrow('did not come true');
    }
  });
});

describe('TLS', () => {
  const authority = makeAuthority('tests');
  const [server, client] = [authority.issue(['DNS:localhost']), authority.issue(['DNS:limiter'])];
  let files: PemFiles;
  let url: string;
  let close: () => Promise<void>;
  beforeAll(async () => {
    files = await pemFiles({ cert: server.certPem, key: server.keyPem, ca: authority.certPem });
    const port = await freePort();
    const redis = await startRedis({ args: tlsArguments(files, port) });
    url = `rediss://localhost:${port}`;
    close = () => redis.close();
  });
  afterAll(async () => {
    await close();
    await files.remove();
  });

  const whyRefused = async (options: Parameters<typeof openedStore>[0]) => {
    const told: string[] = [];
    openedStore({ ...options, onConnection: (_, cause) => cause && told.push(String(cause.cause)) });
    return until(() => told[0]);
  };
  const ours = { cert: client.certPem, key: client.keyPem };

  test('with the CA of the server and a certificate of our own it counts', async () => {
    const store = await connectedStore({ url, tls: { ca: authority.certPem, ...ours }, ...PATIENT });
    expect(only(await taker(store, [rate(1, 5)])(1)).remaining).toBe(4);
  });

  test('a server of another CA, one of another name, and a client without its certificate are refused', async () => {
    expect(await whyRefused({ url, tls: { ca: makeAuthority('others').certPem, ...ours } })).toMatch(/unable to|self.signed/);
    const byAddress = url.replace('localhost', '127.0.0.1');
    expect(await whyRefused({ url: byAddress, tls: { ca: authority.certPem, ...ours } })).toContain('does not match');
    expect(await whyRefused({ url, tls: { ca: authority.certPem } })).toMatch(/certificate required|ECONNRESET|EPIPE|alert/i);
    const store = openedStore({ url });
    await expect(store.ping()).rejects.toThrow('no connection');
  });
});

describe('a user of Redis', () => {
  const GRANTED = ['on', '>right-horse', '~tg:*', '+@connection', '+@scripting', '+@read', '+@write', '+time', '+info'];
  const asUser = async (login: string, options: { password?: string } = {}): Promise<PartedLimitStore> => {
    const redis = await startRedis({ args: ['--user', 'limiter', ...GRANTED] });
    onTestFinished(() => redis.close());
    return connectedStore({ url: redis.url.replace('//', `//${login}@`), ...options, ...PATIENT });
  };

  test('in the address, or with the password apart from it, counts with no more rights than it needs', async () => {
    for (const store of [await asUser('limiter:right-horse'), await asUser('limiter', { password: 'right-horse' })])
      expect(only(await taker(store, [rate(1, 5)])(1)).remaining).toBe(4);
  });
});

type PemFiles = Awaited<ReturnType<typeof pemFiles>>;

async function pemFiles({ cert, key, ca }: { cert: string; key: string; ca: string }) {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-redis-tls-'));
  const [certFile, keyFile, caFile] = [join(folder, 'cert'), join(folder, 'key'), join(folder, 'ca')];
  await Promise.all([writeFile(certFile, cert), writeFile(keyFile, key), writeFile(caFile, ca)]);
  return { certFile, keyFile, caFile, remove: () => rm(folder, { recursive: true, force: true }) };
}
