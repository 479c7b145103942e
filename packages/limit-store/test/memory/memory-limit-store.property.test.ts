import assert from 'node:assert/strict';
import { fixedClock } from '@tollgate/testing/clock';
import fc from 'fast-check';
import { test } from 'vitest';
import type { StoreLimit, TakeResult } from '../../src/limit-store.js';
import { createMemoryLimitStore } from '../../src/memory/memory-limit-store.js';
import { anyCost, anyLimits, anyPauseMs, anyRate, anyStepMs } from '../any-requests.js';
import { NOON } from '../noon.js';
import { type Passed, worstExcess } from '../window-bound.js';

const RUNS = { numRuns: 10_000 };
const STEPS = { minLength: 1, maxLength: 20 };
const backByUpToAMinute = fc.oneof({ weight: 9, arbitrary: anyPauseMs }, fc.double({ min: -60_000, max: 0, noNaN: true }));

test('whatever is asked and whenever, no window sees more than burst + rate × time', async () => {
  const steps = fc.array(fc.record({ advanceMs: backByUpToAMinute, cost: anyCost }), STEPS);
  await fc.assert(
    fc.asyncProperty(anyRate, steps, async (limit, history) => {
      const { ask, now } = organization();
      const passed: Passed[] = [];
      let latestMs = 0; // a clock that went back has no more time than it had
      for (const { advanceMs, cost } of history) {
        const result = await ask(advanceMs, cost, [limit]);
        latestMs = Math.max(latestMs, now());
        if (result.isAllowed) passed.push({ atMs: latestMs, cost });
      }
      // A microsecond is the store's resolution.
      if (passed.length > 0) assert.ok(worstExcess(passed, limit.perMinute, limit.burst, 0.001) <= 1e-9);
    }),
    RUNS,
  );
});

test('whatever happens, a take is whole or nothing, and no state leaves its range', async () => {
  const steps = fc.array(fc.record({ advanceMs: anyStepMs, cost: anyCost, limits: anyLimits }), STEPS);
  await fc.assert(
    fc.asyncProperty(steps, async (history) => {
      const { ask } = organization();
      for (const { advanceMs, cost, limits } of history) {
        const before = await ask(advanceMs, 0, limits);
        const result = await ask(0, cost, limits);
        const after = await ask(0, 0, limits);
        const taken = result.isAllowed ? cost : 0;
        assert.deepEqual(
          result.states.map(left),
          before.states.map((state) => left(state) - taken),
        );
        assert.deepEqual(after.states.map(left), result.states.map(left));
        assert.equal(
          result.isAllowed,
          result.states.every((state) => state.waitMs === 0),
        );
        for (const [i, state] of result.states.entries()) {
          assert.ok(Number.isInteger(state.remaining) && state.remaining >= 0 && state.remaining <= sizeOf(limits[i]));
          assert.ok(state.waitMs === Infinity ? cost > sizeOf(limits[i]) : Number.isInteger(state.waitMs) && state.waitMs >= 0);
          assert.ok(state.resetAtMs >= result.nowMs);
        }
      }
    }),
    RUNS,
  );
});

test('after the wait that a denial tells it fits, and a millisecond sooner it does not', async () => {
  const steps = fc.array(fc.record({ advanceMs: anyStepMs, cost: anyCost }), STEPS);
  await fc.assert(
    fc.asyncProperty(anyLimits, steps, async (limits, history) => {
      const { ask } = organization();
      for (const { advanceMs, cost } of history) {
        const waitMs = Math.max(...(await ask(advanceMs, cost, limits)).states.map((state) => state.waitMs));
        if (waitMs === 0 || waitMs === Infinity) continue;
        assert.equal((await ask(waitMs - 1.001, cost, limits)).isAllowed, false, 'fitted too soon');
        assert.equal((await ask(1.001, cost, limits)).isAllowed, true, 'did not fit after the wait');
      }
    }),
    RUNS,
  );
});

test('at its reset a limit is as if it had never been used, so its state may go', async () => {
  const steps = fc.array(fc.record({ advanceMs: backByUpToAMinute, cost: anyCost }), STEPS);
  await fc.assert(
    fc.asyncProperty(anyLimits, steps, async (limits, history) => {
      const { ask } = organization();
      let last: TakeResult = await ask(0, 0, limits);
      for (const { advanceMs, cost } of history) last = await ask(advanceMs, cost, limits);
      const resetInMs = Math.max(...last.states.map((state) => state.resetAtMs - last.nowMs));
      const fresh = await ask(resetInMs, 0, limits);
      assert.deepEqual(fresh.states.map(left), limits.map(sizeOf));
    }),
    RUNS,
  );
});

test('nobody is locked out by a clock that went back, however far: a minute, and the limit is served', async () => {
  await fc.assert(
    fc.asyncProperty(anyRate, fc.double({ min: 0, max: 1e11, noNaN: true }), async (limit, backMs) => {
      fc.pre(limit.burst > 0);
      const { ask } = organization();
      await ask(0, limit.burst, [limit]);
      const denied = await ask(-backMs, 1, [limit]);
      const refillMs = 60_000 / limit.perMinute;
      assert.ok((denied.states[0]?.waitMs ?? 0) <= 60_000 + refillMs + 1);
    }),
    RUNS,
  );
});

/** A new organization and a clock of its own; `ask` moves the clock first. */
function organization() {
  const clock = fixedClock(NOON);
  const store = createMemoryLimitStore({ now: clock.now });
  const ask = (advanceMs: number, cost: number, limits: readonly StoreLimit[]) => {
    clock.advance(advanceMs);
    return store.take({ organizationId: 'acme', cost, limits });
  };
  return { ask, now: clock.now };
}

const left = (state: { remaining: number }): number => state.remaining;
const sizeOf = (limit: StoreLimit | undefined): number => (limit?.kind === 'rate' ? limit.burst : (limit?.quota ?? Number.NaN));
