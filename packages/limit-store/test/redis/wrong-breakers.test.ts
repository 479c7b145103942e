import { describe, expect, test } from 'vitest';
import type { createDegradingLimitStore } from '../../src/degrading-limit-store.js';
import { createMemoryLimitStore } from '../../src/memory/memory-limit-store.js';
import { BREAKER_PROMISES } from './breaker-promises.js';

type Open = typeof createDegradingLimitStore;

interface Wrong {
  /** Failed calls until it opens. */
  failuresToOpen: number;
  probes: 'one at a time' | 'never' | 'all at once';
}

/** Stores that always decide, and treat a Redis in trouble wrongly. */
const WRONG: Record<string, Wrong> = {
  'no breaker: every take waits for Redis': { failuresToOpen: Infinity, probes: 'one at a time' },
  'a breaker that counts the calls of one moment': { failuresToOpen: 3, probes: 'one at a time' },
  'a breaker that never looks whether Redis is back': { failuresToOpen: 3 * 64, probes: 'never' },
  'probes that join those under way': { failuresToOpen: 3, probes: 'all at once' },
};

describe('the breaker', () => {
  for (const [promise, holds] of Object.entries(BREAKER_PROMISES)) test(promise, () => holds());
});

test.for(Object.entries(WRONG))('the promises of the breaker find out %s', async ([, wrong]) => {
  const broken: string[] = [];
  for (const [promise, holds] of Object.entries(BREAKER_PROMISES)) await holds(opened(wrong)).catch(() => broken.push(promise));
  expect(broken).not.toEqual([]);
});

function opened({ failuresToOpen, probes }: Wrong): Open {
  return (store, { onChange, probeIntervalMs = 500 }) => {
    const local = createMemoryLimitStore();
    let failures = 0;
    let isOpen = false;
    let timer: NodeJS.Timeout | undefined;
    const probe = (): void => {
      const look = store.take({
        organizationId: 'probe',
        cost: 1,
        limits: [{ kind: 'rate', id: 'probe', perMinute: 60, burst: 9 }],
      });
      const shut = (): void => {
        isOpen = false;
        failures = 0;
        clearInterval(timer);
      };
      look.then(shut, () => {
        if (probes === 'one at a time') timer = setTimeout(probe, probeIntervalMs);
      });
    };
    const fail = (): void => {
      if (isOpen || ++failures < failuresToOpen) return;
      isOpen = true;
      onChange?.(true);
      if (probes === 'one at a time') timer = setTimeout(probe, probeIntervalMs);
      if (probes === 'all at once') timer = setInterval(probe, probeIntervalMs / 10);
    };
    return {
      async take(request) {
        if (isOpen) return { ...(await local.take(request)), isDegraded: true };
        try {
          const result = await store.take(request);
          failures = 0;
          return { ...result, isDegraded: false };
        } catch {
          fail();
          return { ...(await local.take(request)), isDegraded: true };
        }
      },
      reset: async () => {},
      isDegraded: () => isOpen,
      ping: () => store.ping(),
      async close() {
        clearInterval(timer);
        await store.close();
      },
    };
  };
}
