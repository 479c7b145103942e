import assert from 'node:assert/strict';
import { startRedis } from '@tollgate/testing/redis';
import { startSlowProxy } from '@tollgate/testing/slow-proxy';
import { until } from '@tollgate/testing/until';
import { onTestFinished } from 'vitest';
import type { createDegradingLimitStore } from '../../src/degrading-limit-store.js';
import { watchedStore } from './watched-store.js';

/** What a breaker needs to open. */
export const ROUNDS = 3;
export const TOGETHER = 64;
/** A probe is rare enough that a burst of takes is over before the next. */
export const RARE_PROBES = { probeIntervalMs: 60_000 };

type Open = typeof createDegradingLimitStore;

/** What must hold of whatever stands between the takes and a Redis in trouble: each rejects where it does not. */
export const BREAKER_PROMISES: Record<string, (open?: Open) => Promise<void>> = {
  async 'a stopped Redis is asked for three rounds, and no take waits after them'(open) {
    const redis = await startRedis();
    onTestFinished(() => redis.close());
    const { degradedOf, counts, store } = await watchedStore({ url: redis.url }, RARE_PROBES, open);
    redis.pause();
    assert.equal(await degradedOf(20 * TOGETHER, TOGETHER), 20 * TOGETHER);
    assert.deepEqual([store.isDegraded(), counts.asked, counts.mostWaiting], [true, ROUNDS * TOGETHER, TOGETHER]);
    assert.deepEqual([counts.waiting, counts.probes], [0, 0]);
  },

  async 'one moment in which everything stands still opens nothing'(open) {
    const redis = await startRedis();
    const proxy = await startSlowProxy(redis.url);
    onTestFinished(async () => {
      await proxy.close();
      await redis.close();
    });
    const { degradedOf, counts } = await watchedStore({ url: proxy.url, deadlineMs: 300 }, RARE_PROBES, open);
    proxy.slow(1_000);
    assert.equal(await degradedOf(TOGETHER, TOGETHER), TOGETHER);
    proxy.slow(0);
    assert.equal(await degradedOf(TOGETHER, TOGETHER), 0);
    assert.equal(counts.opened, 0);
  },

  async 'when Redis is back, probes find it, one at a time, and it decides again'(open) {
    const redis = await startRedis();
    onTestFinished(() => redis.close());
    const { degradedOf, isDecidedByRedis, counts, store } = await watchedStore({ url: redis.url, deadlineMs: 300 }, {}, open);
    redis.pause();
    await degradedOf(ROUNDS, 1);
    assert.equal(store.isDegraded(), true);
    await until(() => counts.probes >= 2);
    assert.ok(counts.waiting <= 1, `${counts.waiting} probes at once`);
    redis.resume();
    await until(isDecidedByRedis, 5_000, 'decisions by Redis');
    assert.equal(await degradedOf(10, 1), 0);
  },
};
