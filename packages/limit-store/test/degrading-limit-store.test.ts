import { startRedis } from '@tollgate/testing/redis';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { createDegradingLimitStore, type DegradingLimitStoreOptions } from '../src/degrading-limit-store.js';
import type { LimitStore, StoreLimit, TakeRequest } from '../src/limit-store.js';
import { createMemoryLimitStore } from '../src/memory/memory-limit-store.js';
import { createRedisLimitStore } from '../src/redis/redis-limit-store.js';
import { StoreUnavailable } from '../src/store-unavailable.js';
import { dayQuota, limitStoreBehaves, only, rate, shadow, taker } from './limit-store-behaves.js';
import { NOON } from './noon.js';

limitStoreBehaves('degrading, while its store answers', async () => {
  let nowMs = NOON;
  const store = createDegradingLimitStore(createMemoryLimitStore({ now: () => nowMs }), { mode: 'deny', instances: 1 });
  const advance = async (ms: number) => {
    nowMs += ms;
  };
  return { store, advance, close: () => store.close() };
});

test('a failed take is decided here, and said to be', async () => {
  const { store, primary } = degrading({ mode: 'local', instances: 4 });
  const take = (cost: number) => store.take({ organizationId: 'acme', cost, limits: [rate(1, 100), dayQuota(1_000)] });
  expect(await take(1)).toMatchObject({ isDegraded: false, states: [{ remaining: 99 }, { remaining: 999 }] });
  primary.isGone = true;
  expect(await take(1)).toMatchObject({ isDegraded: true, isAllowed: true, states: [{ remaining: 24 }, { remaining: 249 }] });
  primary.isGone = false;
  expect(await take(1)).toMatchObject({ isDegraded: false, states: [{ remaining: 98 }, { remaining: 998 }] });
});

test('after three failures in a row no take waits for the store, until a probe has found it', async () => {
  const changes: boolean[] = [];
  const { store, primary } = degrading({ mode: 'local', instances: 1, onChange: (isDegraded) => changes.push(isDegraded) });
  const take = taker(store, [rate(1, 100)], 'acme');
  primary.isGone = true;
  await take(1);
  await take(1);
  primary.isGone = false;
  await take(1); // so the next two are not yet three in a row
  primary.isGone = true;
  await take(1);
  await take(1);
  expect(store.isDegraded()).toBe(false);
  await take(1);
  expect([store.isDegraded(), changes]).toEqual([true, [true]]);

  primary.asked.length = 0;
  for (let i = 0; i < 20; i++) await take(1);
  await until(() => primary.asked.length >= 3);
  expect(primary.asked).not.toContain('acme');
  primary.isGone = false;
  await until(() => !store.isDegraded());
  expect(await store.take({ organizationId: 'acme', cost: 0, limits: [] })).toMatchObject({ isDegraded: false });
  expect(changes).toEqual([true, false]);
});

test('without the store all instances together let through no more than the limits', async () => {
  const passed = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const { store, primary } = degrading({ mode: 'local', instances: 4 });
      primary.isGone = true;
      const take = taker(store, [rate(1, 103), dayQuota(50)], 'acme');
      const results = await Promise.all(Array.from({ length: 60 }, () => take(1)));
      return results.filter((result) => result.isAllowed).length;
    }),
  );
  expect(passed).toEqual([12, 12, 12, 12]);
});

test('a cost that fits the limit but no share passes as a whole share; one above the limit never fits', async () => {
  const { store, primary } = degrading({ mode: 'local', instances: 4 });
  primary.isGone = true;
  const take = taker(store, [rate(60, 100), dayQuota(1_000)], 'acme');
  expect(await take(40)).toMatchObject({ isAllowed: true, states: [{ remaining: 0 }, { remaining: 225 }] });
  expect(await take(40)).toMatchObject({ isAllowed: false, states: [{ waitMs: 100_000 }, { waitMs: 0 }] });
  expect(await take(101)).toMatchObject({ isAllowed: false, states: [{ waitMs: Infinity }, { waitMs: 0 }] });
});

test('allow lets everything through, deny nothing, and both say when to look again', async () => {
  const limits = [rate(1, 5), dayQuota(7)];
  const answer = (mode: 'allow' | 'deny') => {
    const { store, primary } = degrading({ mode, instances: 1 });
    primary.isGone = true;
    return taker(store, limits)(1_000);
  };
  expect(await answer('allow')).toMatchObject({
    isAllowed: true,
    isDegraded: true,
    states: [{ remaining: 5, waitMs: 0 }, { remaining: 7 }],
  });
  expect(await answer('deny')).toMatchObject({
    isAllowed: false,
    isDegraded: true,
    states: [{ remaining: 0, waitMs: 1_000 }, { waitMs: 1_000 }],
  });
});

test('while the store is gone, limits in shadow deny nothing either, and cut no cost', async () => {
  const answer = (mode: 'local' | 'deny', limits: StoreLimit[], cost: number) => {
    const { store, primary } = degrading({ mode, instances: 20 });
    primary.isGone = true;
    return taker(store, limits)(cost);
  };
  expect(await answer('deny', [shadow(rate(1, 5))], 1)).toMatchObject({ isAllowed: true, states: [{ waitMs: 1_000 }] });
  expect(await answer('deny', [shadow(rate(1, 5)), dayQuota(7)], 1)).toMatchObject({ isAllowed: false });
  expect(await answer('local', [shadow(rate(1, 5)), dayQuota(100)], 10)).toMatchObject({ isAllowed: true });
});

test('a mistake in a request is not the failure of the store', async () => {
  const { store } = degrading({ mode: 'allow', instances: 1 });
  for (let i = 0; i < 5; i++) await expect(taker(store, [rate(1, 1)])(-1)).rejects.toThrow(RangeError);
  expect(store.isDegraded()).toBe(false);
});

test('every take is answered while Redis is killed or silent, and Redis decides again when it is back', async () => {
  const redis = await startRedis();
  const primary = createRedisLimitStore({ url: redis.url });
  const store = createDegradingLimitStore(primary, { mode: 'local', instances: 2, probeIntervalMs: 20, minCycleMs: 0 });
  onTestFinished(async () => {
    await store.close();
    await redis.close();
  });
  const answeredByRedis = async () => !(await store.take({ organizationId: 'acme', cost: 0, limits: [rate(1, 10)] })).isDegraded;
  await until(answeredByRedis);

  await redis.kill();
  await until(async () => !(await answeredByRedis()) && store.isDegraded());
  await redis.start();
  await until(answeredByRedis);

  redis.pause();
  await until(async () => !(await answeredByRedis()) && store.isDegraded());
  redis.resume();
  await until(answeredByRedis);
});

/** A degrading store over one in memory that can be switched off, and that notes who asked. */
function degrading(options: Pick<DegradingLimitStoreOptions, 'mode' | 'instances' | 'onChange' | 'minCycleMs'>) {
  const memory = createMemoryLimitStore({ now: () => NOON });
  const primary: { isGone: boolean; asked: string[] } = { isGone: false, asked: [] };
  const switched: LimitStore = {
    ...memory,
    async take(request: TakeRequest) {
      primary.asked.push(request.organizationId);
      if (primary.isGone) throw new StoreUnavailable('switched off');
      return memory.take(request);
    },
  };
  const store = createDegradingLimitStore(switched, { minCycleMs: 0, probeIntervalMs: 5, now: () => NOON, ...options });
  onTestFinished(() => store.close());
  return { store, primary };
}

test('one share at least is one request', async () => {
  const { store, primary } = degrading({ mode: 'local', instances: 10 });
  primary.isGone = true;
  const take = taker(store, [rate(6, 3)], 'acme');
  expect((await take(1)).isAllowed).toBe(true);
  expect(only(await take(1)).waitMs).toBe(100_000);
});
