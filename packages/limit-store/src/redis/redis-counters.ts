import { setTimeout as delay } from 'node:timers/promises';
import type { RedisServer } from '@tollgate/service-kit/redis-settings';
import type { Counters } from '../counters.js';
import { look } from '../look.js';
import { createRedisLimitStore } from './redis-limit-store.js';

const DEADLINE_MS = 3_000;
const ASK_EVERY_MS = 20;

/** The counters in Redis, for a command that runs once. Rejects with StoreUnavailable where Redis does not answer in three seconds. */
export async function openRedisCounters(server: RedisServer): Promise<Counters> {
  const store = createRedisLimitStore({ ...server, deadlineMs: DEADLINE_MS });
  const endMs = performance.now() + DEADLINE_MS;
  for (;;) {
    try {
      await store.ping();
      return { look: (request) => look(store, request), reset: store.reset, close: store.close };
    } catch (error) {
      if (performance.now() < endMs) await delay(ASK_EVERY_MS);
      else {
        await store.close();
        throw error;
      }
    }
  }
}
