import { until } from '@tollgate/testing/until';
import { onTestFinished } from 'vitest';
import { createDegradingLimitStore, type DegradingLimitStoreOptions } from '../../src/degrading-limit-store.js';
import type { TakeRequest, TakeResult } from '../../src/limit-store.js';
import { createRedisLimitStore, type RedisLimitStoreOptions } from '../../src/redis/redis-limit-store.js';
import { rate } from '../limit-store-behaves.js';

export type WatchedStore = Awaited<ReturnType<typeof watchedStore>>;

/** The store as a service opens it, connected, with what it asked of Redis counted. Closed when the test is. */
export async function watchedStore(
  redis: RedisLimitStoreOptions,
  options: Partial<DegradingLimitStoreOptions> = {},
  open: typeof createDegradingLimitStore = createDegradingLimitStore,
) {
  const counts = { asked: 0, probes: 0, waiting: 0, mostWaiting: 0, opened: 0, failedConnections: 0 };
  const primary = createRedisLimitStore({ ...redis, onConnection: (_, cause) => void (cause && counts.failedConnections++) });
  const counted = {
    ...primary,
    async take(request: TakeRequest): Promise<TakeResult> {
      if (request.limits[0]?.id === 'probe') counts.probes++;
      else counts.asked++;
      counts.waiting++;
      counts.mostWaiting = Math.max(counts.mostWaiting, counts.waiting);
      return primary.take(request).finally(() => counts.waiting--);
    },
  };
  const store = open(counted, {
    mode: 'local',
    instances: 1,
    minCycleMs: 0,
    probeIntervalMs: 50,
    onChange: (isDegraded) => void (isDegraded && counts.opened++),
    ...options,
  });
  onTestFinished(() => store.close());
  await until(() => store.ping().then(() => true), 20_000, 'a connection to Redis');
  const take = (organizationId = 'acme', cost = 1) => store.take({ organizationId, cost, limits: [rate(1, 1_000_000)] });
  return {
    ...{ store, counts, take },
    /** Whether Redis itself decided. */
    isDecidedByRedis: async (organizationId?: string) => !(await take(organizationId, 0)).isDegraded,
    /** So many takes, `together` at a time, and how many of them Redis did not decide. */
    async degradedOf(takes: number, together: number, organizationId?: string): Promise<number> {
      let degraded = 0;
      for (let done = 0; done < takes; done += together) {
        const results = await Promise.all(Array.from({ length: together }, () => take(organizationId)));
        degraded += results.filter(({ isDegraded }) => isDegraded).length;
      }
      return degraded;
    },
  };
}
