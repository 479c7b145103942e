import { once } from 'node:events';
import { createServer } from 'node:net';
import { collectGarbage } from '@tollgate/testing/collect-garbage';
import { startRedis } from '@tollgate/testing/redis';
import { redisCommand } from '@tollgate/testing/redis-command';
import { startSlowProxy } from '@tollgate/testing/slow-proxy';
import { until } from '@tollgate/testing/until';
import { describe, expect, onTestFinished, test } from 'vitest';
import { StoreUnavailable } from '../../src/store-unavailable.js';
import { rate, taker } from '../limit-store-behaves.js';
import { RARE_PROBES, ROUNDS, TOGETHER } from './breaker-promises.js';
import { openedStore, PATIENT } from './open-redis-store.js';
import { watchedStore } from './watched-store.js';

async function ownRedis(options: Parameters<typeof startRedis>[0] = {}) {
  const redis = await startRedis(options);
  onTestFinished(() => redis.close());
  return { ...redis, port: Number(new URL(redis.url).port) };
}

describe('killed (F1)', () => {
  test('the breaker opens at the third take, every take is answered, and Redis decides again when it is back', async () => {
    const redis = await ownRedis();
    const { isDecidedByRedis, degradedOf, counts, store } = await watchedStore({ url: redis.url, ...PATIENT });
    await until(isDecidedByRedis);
    await redis.kill();
    await until(async () => !(await isDecidedByRedis()));
    counts.asked = 0;
    expect(await degradedOf(1_000, 1)).toBe(1_000);
    expect(counts.asked).toBeLessThan(ROUNDS);
    expect(store.isDegraded()).toBe(true);
    await redis.start();
    await until(isDecidedByRedis);
    expect(await degradedOf(1_000, 50)).toBe(0);
    expect(store.isDegraded()).toBe(false);
  });

  test('its address is tried once a second, not more', async () => {
    const attempts: number[] = [];
    const refusing = createServer((socket) => {
      attempts.push(performance.now());
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(refusing, 'listening');
    onTestFinished(() => void refusing.close());
    openedStore({ url: `redis://127.0.0.1:${(refusing.address() as { port: number }).port}` });
    await until(() => attempts.length >= 4, 20_000);
    // A busy machine may see the first late, which shortens the whole by so much.
    expect((attempts[3] ?? 0) - (attempts[0] ?? 0)).toBeGreaterThan(2_700);
  });
});

describe('stopped (F2)', () => {
  test('no take waits while the breaker is open, those before are bounded, and nothing grows', async () => {
    const redis = await ownRedis();
    const { degradedOf, counts, store } = await watchedStore({ url: redis.url }, RARE_PROBES);
    redis.pause();
    expect(await degradedOf(ROUNDS * TOGETHER, TOGETHER)).toBe(ROUNDS * TOGETHER);
    expect([store.isDegraded(), counts.asked, counts.mostWaiting]).toEqual([true, ROUNDS * TOGETHER, TOGETHER]);

    await degradedOf(20_000, TOGETHER);
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    expect(await degradedOf(100_000, 100)).toBe(100_000);
    collectGarbage();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(4 * 1024 * 1024);
    expect([counts.asked, counts.waiting, counts.probes]).toEqual([ROUNDS * TOGETHER, 0, 0]);
  });

  test('when it goes on it decides again, and what it had not answered counted once', async () => {
    const redis = await ownRedis();
    const { isDecidedByRedis, degradedOf, take } = await watchedStore({ url: redis.url, deadlineMs: 200 });
    await until(isDecidedByRedis);
    const before =
      (await until(async () => [await take('acme', 0)].find(({ isDegraded }) => !isDegraded))).states[0]?.remaining ?? 0;
    redis.pause();
    await degradedOf(10, 5);
    redis.resume();
    await until(isDecidedByRedis);
    const after =
      (await until(async () => [await take('acme', 0)].find(({ isDegraded }) => !isDegraded))).states[0]?.remaining ?? 0;
    expect(before - after).toBeGreaterThanOrEqual(0);
    expect(before - after).toBeLessThanOrEqual(10);
  });
});

describe('slow (F3)', () => {
  test.for([5, 20, 100])('+%i ms within the deadline: Redis decides every take', async (delayMs) => {
    const { proxy, watched } = await behindProxy({ deadlineMs: 2_000 });
    proxy.slow(delayMs);
    expect(await watched.degradedOf(64, 16)).toBe(0);
    expect(watched.counts.opened).toBe(0);
  });

  test.for([20, 100])('+%i ms beyond the deadline: three rounds wait for it, and no take after them', async (delayMs) => {
    const { proxy, watched } = await behindProxy({}, RARE_PROBES);
    proxy.slow(delayMs);
    expect(await watched.degradedOf(50 * TOGETHER, TOGETHER)).toBe(50 * TOGETHER);
    expect(watched.counts.asked).toBe(ROUNDS * TOGETHER);
    expect(watched.store.isDegraded()).toBe(true);
  });

  async function behindProxy(redis: { deadlineMs?: number }, options = {}) {
    const server = await ownRedis();
    const proxy = await startSlowProxy(server.url);
    onTestFinished(() => proxy.close());
    const watched = await watchedStore({ url: proxy.url, ...redis }, options);
    return { proxy, watched };
  }
});

describe('it refuses (F4)', () => {
  test('forgotten scripts are sent again, under load, with no degraded take', async () => {
    const redis = await ownRedis();
    const { isDecidedByRedis, degradedOf, take } = await watchedStore({ url: redis.url, ...PATIENT });
    await until(isDecidedByRedis);
    for (let i = 0; i < 5; i++) {
      const load = degradedOf(500, 50);
      await redisCommand(redis.port, 'SCRIPT', 'FLUSH');
      expect(await load).toBe(0);
    }
    expect((await take('acme', 0)).states[0]?.remaining).toBe(1_000_000 - 2_500);
  });

  test('made a replica, it refuses writes; no take is lost, and it decides again as a master', async () => {
    const redis = await ownRedis();
    const { isDecidedByRedis, degradedOf, counts } = await watchedStore({ url: redis.url, ...PATIENT });
    await until(isDecidedByRedis);
    await redisCommand(redis.port, 'REPLICAOF', '127.0.0.1', '1');
    expect(await degradedOf(100, 1)).toBe(100);
    expect(counts.opened).toBe(1);
    await redisCommand(redis.port, 'REPLICAOF', 'NO', 'ONE');
    await until(isDecidedByRedis);
  });

  test('while it loads its data no take waits for it, and it decides when it has loaded', async () => {
    const redis = await ownRedis({ args: ['--key-load-delay', '2000', '--loading-process-events-interval-bytes', '1024'] });
    await redisCommand(redis.port, 'EVAL', "for i = 1, 2000 do redis.call('SET', i, string.rep('x', 1000)) end", '0');
    await redisCommand(redis.port, 'SAVE');
    const { isDecidedByRedis, degradedOf, counts } = await watchedStore({ url: redis.url, ...PATIENT });
    await until(isDecidedByRedis);
    await redis.kill();
    await until(async () => !(await isDecidedByRedis()));
    const restarted = redis.start();
    await until(() =>
      redisCommand(redis.port, 'SET', 'a', 'b').then(
        () => false,
        (error: Error) => error.message.includes('LOADING'),
      ),
    );
    counts.mostWaiting = 0;
    expect(await degradedOf(1_000, 50)).toBe(1_000);
    await restarted;
    await until(isDecidedByRedis, 30_000);
  });

  test('out of memory, it refuses writes: every take is decided here, and by it again when it has room', async () => {
    const redis = await ownRedis();
    const { isDecidedByRedis, degradedOf, counts } = await watchedStore({ url: redis.url, ...PATIENT });
    await until(isDecidedByRedis);
    await redisCommand(redis.port, 'CONFIG', 'SET', 'maxmemory', '1');
    expect(await degradedOf(100, 1)).toBe(100);
    expect(counts.opened).toBe(1);
    await redisCommand(redis.port, 'CONFIG', 'SET', 'maxmemory', '0');
    await until(isDecidedByRedis);
  });

  test('why it refuses stands in the failure, for the log', async () => {
    const redis = await ownRedis();
    await redisCommand(redis.port, 'CONFIG', 'SET', 'min-replicas-to-write', '1');
    const store = openedStore({ url: redis.url, ...PATIENT });
    await until(() => store.ping().then(() => true));
    const error = await taker(store, [rate(1, 1)])(1).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreUnavailable);
    expect(String((error as Error).cause)).toContain('NOREPLICAS');
  });
});
