import assert from 'node:assert/strict';
import type { OrganizationLimits } from '@tollgate/domain/limits';
import { fixedClock } from '@tollgate/testing/clock';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { appliedLimits } from '../src/applied-limits.js';
import { type Decision, decide } from '../src/decide.js';
import { createMemoryLimitStore } from '../src/memory/memory-limit-store.js';

const KEY = '22222222-2222-4222-8222-222222222222';
const AMPLE = { perMinute: 1_000, burst: 1_000, perDay: 100_000, perMonth: 1_000_000 };

/** The limiter of one organization over a clock that stands still: `ask` is a request, `wait` lets time pass. */
function limiter(limits: Partial<OrganizationLimits>, startMs: number) {
  const clock = fixedClock(startMs);
  const store = createMemoryLimitStore({ now: clock.now });
  const found: OrganizationLimits = { plan: AMPLE, override: {}, billingAnchorDay: 1, keyLimits: new Map(), ...limits };
  const applied = appliedLimits(found, KEY, undefined);
  const ask = async (cost = 1): Promise<Decision> => {
    const taken = await store.take({ organizationId: 'acme', cost, limits: applied.store });
    return decide(applied.shown, { ...taken, isDegraded: false });
  };
  return { ask, wait: clock.advance };
}

test.each<[string, Partial<OrganizationLimits>, number, { window: string; retryAfter: number }]>([
  ['a minute', { override: { perMinute: 7, burst: 3 } }, Date.UTC(2027, 0, 15, 12), { window: 'minute', retryAfter: 9 }],
  ['a day', { override: { perDay: 3 } }, Date.UTC(2027, 0, 15, 23, 59, 57, 200), { window: 'day', retryAfter: 3 }],
  [
    'a month that begins on the 31st',
    { override: { perMonth: 3 }, billingAnchorDay: 31 },
    Date.UTC(2027, 1, 27, 23, 59, 0),
    { window: 'month', retryAfter: 60 },
  ],
  [
    'a month that has begun today',
    { override: { perMonth: 3 }, billingAnchorDay: 15 },
    Date.UTC(2028, 1, 15, 0, 0, 0),
    { window: 'month', retryAfter: 29 * 86_400 },
  ],
  [
    "a key's own day",
    { keyLimits: new Map([[KEY, { perDay: 3 }]]) },
    Date.UTC(2027, 11, 31, 23, 0, 0),
    { window: 'day', retryAfter: 3_600 },
  ],
  [
    'the longer of two',
    { override: { perMinute: 60, burst: 3, perDay: 3 } },
    Date.UTC(2027, 0, 15, 23, 0, 0),
    { window: 'day', retryAfter: 3_600 },
  ],
])('Retry-After of %s is exact: then it passes, and a second sooner it does not', async (_, limits, startMs, trip) => {
  const { ask, wait } = limiter(limits, startMs);
  expect([(await ask()).kind, (await ask()).kind, (await ask()).kind]).toEqual(['allowed', 'allowed', 'allowed']);
  expect(await ask()).toMatchObject({ kind: 'limited', trip });
  wait((trip.retryAfter - 1) * 1_000);
  expect((await ask()).kind).toBe('limited');
  wait(1_000);
  expect((await ask()).kind).toBe('allowed');
});

const some = fc.integer({ min: 1, max: 30 });
const anyLimits = fc.record({ perMinute: some, burst: some, perDay: some, perMonth: some }, { requiredKeys: [] });
const anyMomentMs = fc.integer({ min: Date.UTC(2027, 0, 1), max: Date.UTC(2029, 0, 1) });
const anyCosts = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 4, maxLength: 12 });

/** Rejects where, of any denial, `told` seconds are too few or a whole second too many. Returns how many denials it saw. */
async function waitsHold(told: (retryAfter: number) => number): Promise<number> {
  let denials = 0;
  await fc.assert(
    fc.asyncProperty(anyLimits, anyLimits, fc.integer({ min: 1, max: 31 }), anyMomentMs, anyCosts, async (...given) => {
      const [override, ofKey, billingAnchorDay, startMs, costs] = given;
      const { ask, wait } = limiter({ override, billingAnchorDay, keyLimits: new Map([[KEY, ofKey]]) }, startMs);
      for (const cost of costs) {
        const denied = await ask(cost);
        if (denied.kind !== 'limited' || denied.trip.retryAfter === undefined) continue;
        denials++;
        wait((told(denied.trip.retryAfter) - 1) * 1_000 - 1);
        assert.equal((await ask(cost)).kind, 'limited', 'passed too soon');
        wait(1_001);
        assert.equal((await ask(cost)).kind, 'allowed', 'did not pass after Retry-After');
      }
    }),
    { numRuns: 2_000 },
  );
  return denials;
}

test('whatever the limits, the cost and the moment: after Retry-After it passes, a whole second sooner it does not', async () => {
  expect(await waitsHold((retryAfter) => retryAfter)).toBeGreaterThan(1_000);
});

const broken = (message: string) => ({ cause: { message: expect.stringContaining(message) } });

test('a Retry-After that is a second off, either way, would be noticed', async () => {
  await expect(waitsHold((retryAfter) => retryAfter - 1)).rejects.toMatchObject(broken('did not pass after Retry-After'));
  await expect(waitsHold((retryAfter) => retryAfter + 1)).rejects.toMatchObject(broken('passed too soon'));
});
