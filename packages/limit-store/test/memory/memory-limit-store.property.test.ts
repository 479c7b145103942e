import assert from 'node:assert/strict';
import { fixedClock } from '@tollgate/testing/clock';
import fc from 'fast-check';
import { test } from 'vitest';
import type { StoreLimit, TakeResult } from '../../src/limit-store.js';
import { createMemoryLimitStore } from '../../src/memory/memory-limit-store.js';
import { anyCost, anyLimits, anyPauseMs, anyRate, anyShadowedLimits, anyStepMs } from '../any-requests.js';
import { NOON } from '../noon.js';
import { type Passed, worstExcess } from '../window-bound.js';

const RUNS = { numRuns: 10_000 };
const STEPS = { minLength: 1, maxLength: 20 };
/** How far the clock is behind the latest time that it showed. */
const anyLagMs = fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.double({ min: 0, max: 60_000, noNaN: true }));

test('whatever is asked and whenever, no window sees more than burst + rate × time', async () => {
  const steps = fc.array(fc.record({ advanceMs: anyPauseMs, lagMs: anyLagMs, cost: anyCost }), STEPS);
  await fc.assert(
    fc.asyncProperty(anyRate, steps, async (limit, history) => {
      const { ask, now } = organization();
      const passed: Passed[] = [];
      // While the clock is behind the last pass, no time has gone by since that. A look is no pass: it leaves no trace.
      let latestMs = Number.NEGATIVE_INFINITY;
      for (const { advanceMs, lagMs, cost } of history) {
        const result = await ask(advanceMs - lagMs, cost, [limit]);
        if (result.isAllowed && cost > 0) {
          latestMs = Math.max(latestMs, sinceNoonMs(now()));
          passed.push({ atMs: latestMs, cost });
        }
        await ask(lagMs, 0, []);
      }
      if (passed.length > 0) assert.ok(worstExcess(passed, limit.perMinute, limit.burst) <= 1e-6);
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

test('what is wholly in shadow passes, and is counted to the number as if it were enforced', async () => {
  const steps = fc.array(fc.record({ advanceMs: anyStepMs, cost: anyCost, limits: anyLimits }), STEPS);
  await fc.assert(
    fc.asyncProperty(steps, async (history) => {
      const [shadowed, enforced] = [organization(), organization()];
      for (const { advanceMs, cost, limits } of history) {
        const result = await shadowed.ask(
          advanceMs,
          cost,
          limits.map((limit) => ({ ...limit, isShadow: true })),
        );
        assert.equal(result.isAllowed, true);
        assert.deepEqual(result.states, (await enforced.ask(advanceMs, cost, limits)).states);
      }
    }),
    RUNS,
  );
});

test('limits in shadow change nothing for those that are enforced', async () => {
  const steps = fc.array(fc.record({ advanceMs: anyStepMs, cost: anyCost }), STEPS);
  await fc.assert(
    fc.asyncProperty(anyShadowedLimits, steps, async (limits, history) => {
      const [together, alone] = [organization(), organization()];
      const enforced = limits.filter((limit) => !limit.isShadow);
      for (const { advanceMs, cost } of history) {
        const [mixed, pure] = [await together.ask(advanceMs, cost, limits), await alone.ask(advanceMs, cost, enforced)];
        assert.equal(mixed.isAllowed, pure.isAllowed);
        assert.deepEqual(
          mixed.states.filter((_, i) => limits[i]?.isShadow !== true),
          pure.states,
        );
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
      // Rounded up to a millisecond, by a clock of microseconds, from whole units of which below 1 a minute each takes longer.
      const grainMs = 1.001 + Math.max(...limits.map((limit) => (limit.kind === 'rate' ? 0.001 / limit.perMinute : 0)));
      for (const { advanceMs, cost } of history) {
        const waitMs = Math.max(...(await ask(advanceMs, cost, limits)).states.map((state) => state.waitMs));
        if (waitMs === 0 || waitMs === Infinity) continue;
        assert.equal((await ask(waitMs - grainMs, cost, limits)).isAllowed, false, 'fitted too soon');
        assert.equal((await ask(grainMs, cost, limits)).isAllowed, true, 'did not fit after the wait');
      }
    }),
    RUNS,
  );
});

test('at its reset a limit is as if it had never been used, so its state may go', async () => {
  const steps = fc.array(fc.record({ advanceMs: anyStepMs, cost: anyCost }), STEPS);
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

/** By the store's clock of whole microseconds, and small, so that differences are exact. */
const sinceNoonMs = (nowMs: number): number => (Math.floor(nowMs * 1_000) - Math.floor(NOON * 1_000)) / 1_000;

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
