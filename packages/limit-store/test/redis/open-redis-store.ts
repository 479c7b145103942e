import { until } from '@tollgate/testing/until';
import { onTestFinished } from 'vitest';
import type { PartedLimitStore } from '../../src/degrading-limit-store.js';
import { createRedisLimitStore, type RedisLimitStoreOptions } from '../../src/redis/redis-limit-store.js';

/** Long enough that a busy machine does not fail a test that is not about deadlines. */
export const PATIENT = { deadlineMs: 5_000 };

/** Closed when the test is; whoever opens it in a hook closes it. */
export function openedStore(options: RedisLimitStoreOptions): PartedLimitStore {
  const store = createRedisLimitStore(options);
  try {
    onTestFinished(() => store.close());
  } catch {
    // opened in a hook
  }
  return store;
}

/** As openedStore, once every connection that it needs is there. */
export async function connectedStore(options: RedisLimitStoreOptions): Promise<PartedLimitStore> {
  const store = openedStore(options);
  await until(() => store.ping().then(() => true), 20_000, 'a connection to Redis');
  return store;
}

/** Lets so much time pass by the clock of the Redis that counts for the organization `clock`. */
export function redisClock(store: Pick<PartedLimitStore, 'take'>): (ms: number) => Promise<void> {
  const clock = async () => (await store.take({ organizationId: 'clock', cost: 0, limits: [] })).nowMs;
  return async (ms) => {
    const endMs = (await clock()) + Math.ceil(ms) + 1;
    while ((await clock()) < endMs);
  };
}
