import { inspect } from 'node:util';
import { freshRedis, startRedis } from '@tollgate/testing/redis';
import { until } from '@tollgate/testing/until';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { StoreUnavailable } from '../../src/store-unavailable.js';
import { dayQuota, limitStoreBehaves, monthQuota, only, rate, taker } from '../limit-store-behaves.js';
import { connectedStore, openedStore, PATIENT, redisClock } from './open-redis-store.js';

const SLACK_MS = 60_000;

let shared: { url: string; close(): Promise<void> };
let admin: Redis;
beforeAll(async () => {
  shared = await freshRedis();
  admin = new Redis(shared.url);
});
afterAll(async () => {
  admin.disconnect();
  await shared.close();
});

limitStoreBehaves('redis', async () => {
  const store = await connectedStore({ url: shared.url, ...PATIENT });
  return { store, advance: redisClock(store), close: () => store.close() };
});

test('all keys of an organization carry its tag, and go when they say nothing any more', async () => {
  const store = await connectedStore({ url: shared.url, ...PATIENT });
  const take = taker(store, [rate(60, 10), dayQuota(10), monthQuota(10, 31)], 'tagged');
  expect(await admin.keys('*tagged*')).toEqual([]);
  await take(0);
  expect(await admin.keys('*tagged*')).toEqual([]);
  const { states } = await take(3);
  for (const [i, id] of ['minute', 'day', 'month'].entries())
    expect(await admin.pexpiretime(`tg:{tagged}:${id}`)).toBe((states[i]?.resetAtMs ?? 0) + SLACK_MS);
  expect((await admin.keys('*tagged*')).length).toBe(3);
});

test('a state of another kind or shape under the key counts as none', async () => {
  const take = taker(await connectedStore({ url: shared.url, ...PATIENT }), [rate(1, 5)], 'strange');
  for (const strange of ['3/0', '-1@5', 'nan@nan', '', '1e3@7']) {
    await admin.set('tg:{strange}:minute', strange);
    expect(only(await take(1)).remaining).toBe(4);
  }
  await admin.del('tg:{strange}:minute');
  await admin.lpush('tg:{strange}:minute', 'a list');
  expect(only(await take(1)).remaining).toBe(4);
});

test('a forgotten script is sent again, and the take counts once', async () => {
  const take = taker(await connectedStore({ url: shared.url, ...PATIENT }), [rate(1, 100)]);
  for (let i = 1; i <= 10; i++) {
    await admin.script('FLUSH');
    expect(only(await take(1)).remaining).toBe(100 - i);
  }
});

test('takes of one turn of the event loop are one command for each 64, and each counts', async () => {
  const redis = await ownRedis();
  const store = await connectedStore({ url: redis.url, ...PATIENT });
  const ofAll = ['one', 'two', 'three'].map((organization) => taker(store, [rate(1, 1_000), dayQuota(500)], organization));
  await ofAll[0]?.(0); // has loaded the script
  const client = new Redis(redis.url);
  onTestFinished(() => client.disconnect());
  const commands = async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1]);
  const before = await commands();
  const results = await Promise.all(Array.from({ length: 150 }, (_, i) => ofAll[i % 3]?.(1)));
  expect((await commands()) - before).toBe(3);
  expect(results.map((result) => result?.states[1]?.remaining)).toEqual(
    Array.from({ length: 150 }, (_, i) => 499 - Math.floor(i / 3)),
  );
});

test('a server that keeps slots apart, such as a proxy before a cluster, is asked for each organization by itself', async () => {
  const redis = await ownRedis({ args: ['--cluster-enabled', 'yes'] });
  const admin = new Redis(redis.url);
  onTestFinished(() => admin.disconnect());
  await admin.cluster('ADDSLOTSRANGE', 0, 16_383);
  await until(async () => (await admin.cluster('INFO')).includes('cluster_state:ok'));
  const store = await connectedStore({ url: redis.url, ...PATIENT });
  const ofAll = ['one', 'two', 'three'].map((organization) => taker(store, [rate(1, 100)], organization));
  const together = () => Promise.all(ofAll.map((take) => take(1)));
  await expect(together()).rejects.toThrow(StoreUnavailable); // which has taken nothing, and tells
  for (let i = 1; i <= 3; i++)
    expect((await together()).map((result) => only(result).remaining)).toEqual([100 - i, 100 - i, 100 - i]);
});

test('a killed Redis is refused at once, and used again when it is back', async () => {
  const redis = await ownRedis();
  const take = taker(await connectedStore({ url: redis.url, ...PATIENT }), [rate(1, 100)]);
  await take(1);
  await redis.kill();
  const waiting = take(1);
  await expect(waiting).rejects.toThrow(StoreUnavailable);
  await expect(take(1)).rejects.toThrow(/no connection|the call failed/); // the second while the socket is just closing
  await redis.start();
  await until(() => take(1));
});

test('a Redis that is down at the start is found when it comes up', async () => {
  const redis = await ownRedis();
  await redis.kill();
  const store = openedStore({ url: redis.url, ...PATIENT });
  await expect(store.ping()).rejects.toThrow(StoreUnavailable);
  await redis.start();
  await until(() => store.ping().then(() => true));
});

test('a silent Redis costs a call its deadline; the late takes count once', async () => {
  const redis = await ownRedis();
  const store = await connectedStore({ url: redis.url, deadlineMs: 100 });
  const take = taker(store, [rate(1, 100)]);
  await take(1);
  redis.pause();
  const late = await Promise.allSettled(Array.from({ length: 5 }, () => take(1)));
  for (const call of late)
    expect(call).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('within 100 ms') } });
  redis.resume();
  expect(only(await until(() => take(0))).remaining).toBe(94);
});

test('what a dead connection left unanswered is not sent again on the next', async () => {
  const redis = await ownRedis({ isPersistent: true });
  const take = taker(await connectedStore({ url: redis.url, deadlineMs: 100 }), [rate(1, 100)]);
  await until(() => take(1));
  const { remaining } = only(await until(() => take(0)));
  redis.pause();
  await Promise.allSettled(Array.from({ length: 5 }, () => take(1)));
  await redis.kill();
  await redis.start();
  expect(only(await until(() => take(0))).remaining).toBe(remaining);
});

test('calls that Redis has not answered are bounded, and one more is refused without waiting', async () => {
  const redis = await ownRedis();
  const store = await connectedStore({ url: redis.url, maxInFlight: 10, ...PATIENT });
  const take = taker(store, [rate(1, 100)]);
  redis.pause();
  const waiting = Array.from({ length: 10 }, () => take(1));
  await expect(take(1)).rejects.toThrow('10 calls wait');
  redis.resume();
  expect((await Promise.all(waiting)).every((result) => result.isAllowed)).toBe(true);
  expect((await take(1)).isAllowed).toBe(true);
});

test('a connection that stays silent is replaced', async () => {
  const redis = await ownRedis();
  const states: string[] = [];
  const store = await connectedStore({ url: redis.url, onConnection: (state) => states.push(state) });
  redis.pause();
  await expect(store.ping()).rejects.toThrow(StoreUnavailable);
  await until(() => states.includes('lost'));
  redis.resume();
  await until(() => store.ping().then(() => true));
});

test('a pause of our own process is not held against Redis, neither before a call leaves nor after', async () => {
  const redis = await ownRedis();
  const store = await connectedStore({ url: redis.url, deadlineMs: 100 });
  const take = taker(store, [rate(1, 100)]);
  await until(() => take(1)); // has loaded the script

  redis.pause();
  const beforeItLeaves = take(1);
  pause(300);
  setTimeout(() => setTimeout(() => redis.resume(), 5));
  expect((await beforeItLeaves).isAllowed).toBe(true);

  const afterwards = take(1);
  await new Promise((resolve) => setImmediate(resolve));
  pause(300);
  expect((await afterwards).isAllowed).toBe(true);
});

/** As a long turn of the event loop, or a garbage collection. */
function pause(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

test('a closed store leaves no call hanging, and takes no more', async () => {
  const redis = await ownRedis();
  const store = await connectedStore({ url: redis.url, deadlineMs: 100 });
  redis.pause();
  const pending = store.ping();
  await store.close();
  await expect(pending).rejects.toThrow(StoreUnavailable);
  await expect(store.ping()).rejects.toThrow(StoreUnavailable);
});

test('a password works, and never shows in an error', async () => {
  const redis = await ownRedis();
  const setter = new Redis(redis.url);
  await setter.config('SET', 'requirepass', 'right-horse');
  setter.disconnect();
  const withPassword = (password: string) => redis.url.replace('redis://', `redis://:${password}@`);
  await connectedStore({ url: withPassword('right-horse'), ...PATIENT });

  const seen: unknown[] = [];
  const store = openedStore({ url: withPassword('wrong-horse'), ...PATIENT, onConnection: (_, cause) => seen.push(cause) });
  await until(() => seen.some((cause) => cause instanceof Error));
  seen.push(await store.ping().catch((error: unknown) => error));
  seen.push(await taker(store, [rate(1, 1)])(1).catch((error: unknown) => error));
  expect(inspect(seen, { depth: 10, showHidden: true })).not.toContain('horse');
  expect(() => openedStore({ url: 'redis://:secret-horse@ho st:x' })).toThrow(RangeError);
  expect(
    inspect(
      attempt(() => openedStore({ url: 'redis://:secret-horse@ho st:x' })),
      { depth: 10 },
    ),
  ).not.toContain('horse');
});

test('a Redis that refuses to write is unavailable, and says why', async () => {
  const redis = await ownRedis({ args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] });
  const store = openedStore({ url: redis.url, ...PATIENT });
  await until(() => store.ping().then(() => true));
  const error = await taker(store, [rate(1, 1)])(1).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StoreUnavailable);
  expect(String((error as Error).cause)).toContain('OOM');
});

async function ownRedis(options: Parameters<typeof startRedis>[0] = {}) {
  const redis = await startRedis(options);
  onTestFinished(() => redis.close());
  return redis;
}

function attempt(what: () => unknown): unknown {
  try {
    return what();
  } catch (error) {
    return error;
  }
}
