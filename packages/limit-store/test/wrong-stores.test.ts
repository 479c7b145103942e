import assert from 'node:assert/strict';
import { dayPeriod } from '@tollgate/domain/period';
import { fixedClock } from '@tollgate/testing/clock';
import { expect, test } from 'vitest';
import { isEnforced, type LimitStore, type TakeRequest, type TakeResult } from '../src/limit-store.js';
import { createMemoryLimitStore } from '../src/memory/memory-limit-store.js';
import { PROMISES } from './limit-store-behaves.js';
import { NOON } from './noon.js';

/** Each breaks one promise that a limiter in the wild has broken; the suite must notice. */
const WRONG_STORES: Record<string, (right: LimitStore, now: () => number) => Partial<LimitStore>> = {
  'a fixed window in the place of a bucket': (_, now) => fixedWindow(now),
  'the right bucket with a wait of a minute for every denial': (right) =>
    changed(right, (result) => ({
      ...result,
      states: result.states.map((state) => (state.waitMs === 0 ? state : { ...state, waitMs: 60_000 })),
    })),
  'limits that are taken from one after the other': (right) => ({
    async take(request) {
      const results: TakeResult[] = [];
      for (const limit of request.limits) results.push(await right.take({ ...request, limits: [limit] }));
      const isAllowed = results.every((result) => result.isAllowed);
      return { isAllowed, states: results.flatMap((result) => result.states), nowMs: results[0]?.nowMs ?? NOON };
    },
  }),
  'a look that takes one': (right) => ({ take: (request) => right.take({ ...request, cost: Math.max(1, request.cost) }) }),
  'buckets twice as large': (right) => ({
    take: (request) =>
      right.take({
        ...request,
        limits: request.limits.map((limit) => (limit.kind === 'rate' ? { ...limit, burst: limit.burst * 2 } : limit)),
      }),
  }),
  'a refill that is ten percent short': (right) => ({
    take: (request) =>
      right.take({
        ...request,
        limits: request.limits.map((limit) => (limit.kind === 'rate' ? { ...limit, perMinute: limit.perMinute * 0.9 } : limit)),
      }),
  }),
  'windows that forget what they deny': (right) => ({
    async take(request) {
      const look = await right.take({ ...request, cost: 0 });
      const fits = request.limits.every(
        (limit, i) => limit.kind !== 'window' || (look.states[i]?.remaining ?? 0) >= request.cost,
      );
      if (fits) return right.take(request);
      const states = look.states.map((state) => ({ ...state, waitMs: state.resetAtMs - look.nowMs }));
      return { ...look, isAllowed: false, states };
    },
  }),
  'windows that begin with their first take': (right) =>
    changed(right, (result, { limits }) => ({
      ...result,
      states: result.states.map((state, i) =>
        limits[i]?.kind === 'window' ? { ...state, resetAtMs: result.nowMs + 1_234_567 } : state,
      ),
    })),
  'windows that never deny a look': (right) => ({
    async take(request) {
      const result = await right.take(request);
      return request.cost > 0 ? result : { ...result, isAllowed: true, states: result.states.map((s) => ({ ...s, waitMs: 0 })) };
    },
  }),
  'shadows that deny': (right) => ({
    take: (request) => right.take({ ...request, limits: request.limits.map((limit) => ({ ...limit, isShadow: false })) }),
  }),
  'shadows that are not counted': (right) => ({
    async take(request) {
      const looked = await right.take({ ...request, cost: 0 });
      const enforced = await right.take({ ...request, limits: request.limits.filter(isEnforced) });
      const states = [...enforced.states];
      return {
        ...enforced,
        states: request.limits.map((limit, i) => (isEnforced(limit) ? states.shift() : looked.states[i]) ?? assert.fail()),
      };
    },
  }),
  'shadows that are taken from one by one': (right) => ({
    async take(request) {
      const enforced = await right.take({ ...request, limits: request.limits.filter(isEnforced) });
      const states = [...enforced.states];
      const cost = enforced.isAllowed ? request.cost : 0;
      const all = request.limits.map(async (limit) => {
        if (isEnforced(limit)) return states.shift() ?? assert.fail();
        return (await right.take({ ...request, cost, limits: [limit] })).states[0] ?? assert.fail();
      });
      return { ...enforced, states: await Promise.all(all) };
    },
  }),
  'a reset that forgets nothing': () => ({ reset: async () => {} }),
  'a reset that forgets more than it was told': (right) => ({
    reset: (organizationId) => right.reset(organizationId, ['minute', 'day', 'month']),
  }),
  'one bucket for all organizations': (right) => ({ take: (request) => right.take({ ...request, organizationId: 'all' }) }),
  'local midnight, an hour east of UTC': (right) =>
    changed(right, (result) => ({
      ...result,
      states: result.states.map((state) =>
        state.resetAtMs === dayPeriod(result.nowMs).endMs ? { ...state, resetAtMs: state.resetAtMs - 3_600_000 } : state,
      ),
    })),
};

test.for(Object.entries(WRONG_STORES))('the suite notices %s', async ([, wrong]) => {
  const broken: string[] = [];
  for (const [promise, holds] of Object.entries(PROMISES)) {
    const clock = fixedClock(NOON);
    const right = createMemoryLimitStore({ now: clock.now });
    const subject = {
      store: { ...right, ...wrong(right, clock.now) },
      advance: async (ms: number) => clock.advance(ms),
      close: right.close,
    };
    await holds(subject).catch(() => broken.push(promise));
  }
  expect(broken).not.toEqual([]);
});

function changed(right: LimitStore, change: (result: TakeResult, request: TakeRequest) => TakeResult): Pick<LimitStore, 'take'> {
  return { take: async (request) => change(await right.take(request), request) };
}

function fixedWindow(now: () => number): Pick<LimitStore, 'take'> {
  const used = new Map<string, number>();
  return {
    async take({ organizationId, cost, limits }) {
      const nowMs = Math.floor(now());
      const windows = limits.map((limit) => {
        const windowMs = limit.kind === 'rate' ? 60_000 : 86_400_000;
        const [start, size] = [Math.floor(nowMs / windowMs) * windowMs, limit.kind === 'rate' ? limit.burst : limit.quota];
        const key = `${organizationId} ${limit.id} ${start}`;
        const left = size - (used.get(key) ?? 0);
        return {
          key,
          left,
          resetAtMs: start + windowMs,
          waitMs: cost > size ? Infinity : cost <= left ? 0 : start + windowMs - nowMs,
        };
      });
      const isAllowed = windows.every((window) => window.waitMs === 0);
      if (isAllowed) for (const { key } of windows) used.set(key, (used.get(key) ?? 0) + cost);
      const states = windows.map(({ left, resetAtMs, waitMs }) => ({
        remaining: isAllowed ? left - cost : left,
        resetAtMs,
        waitMs,
      }));
      return { isAllowed, states, nowMs };
    },
  };
}
