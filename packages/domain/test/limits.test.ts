import {
  dayQuotaLastsMinutes,
  effectiveLimits,
  isInShadow,
  type Limits,
  type LimitsOverride,
  limitProblems,
  type Plan,
} from '@tollgate/domain/limits';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds } from './holds.js';

const BASIC: Limits = { perMinute: 100, burst: 150, perDay: 10_000 };
const PREMIUM: Limits = { perMinute: 1_000, burst: 1_500, perDay: 100_000 };
const ENTERPRISE: Limits = { perMinute: 10_000, burst: 15_000, perDay: 1_000_000 };

/** Limits that anyone may save. */
const validLimits: fc.Arbitrary<Limits> = fc
  .integer({ min: 1, max: 100_000_000 })
  .chain((perMinute) =>
    fc.record({
      perMinute: fc.constant(perMinute),
      burst: fc.integer({ min: 1, max: 10 * perMinute }),
      perDay: fc.integer({ min: perMinute, max: 1_000_000_000 }),
    }),
  )
  .chain((limits) =>
    fc
      .option(fc.integer({ min: limits.perDay, max: 1_000_000_000_000 }), { nil: undefined })
      .map((perMonth) => (perMonth === undefined ? limits : { ...limits, perMonth })),
  );

test('without an override the plan holds', () => {
  holds(fc.property(validLimits, (plan) => void expect(effectiveLimits(plan)).toEqual(plan)));
});

test.each<[string, Limits, LimitsOverride, Limits]>([
  ['a higher rate keeps the ratio of the burst', BASIC, { perMinute: 300 }, { perMinute: 300, burst: 450, perDay: 10_000 }],
  ['a burst that is said is taken', BASIC, { perMinute: 300, burst: 300 }, { perMinute: 300, burst: 300, perDay: 10_000 }],
  ['a burst alone leaves the rate', BASIC, { burst: 1 }, { perMinute: 100, burst: 1, perDay: 10_000 }],
  ['a rate of 1 rounds the burst', BASIC, { perMinute: 1 }, { perMinute: 1, burst: 2, perDay: 10_000 }],
  [
    'a burst is never rounded to nothing',
    { perMinute: 1_000, burst: 1, perDay: 1_000 },
    { perMinute: 10 },
    { perMinute: 10, burst: 1, perDay: 1_000 },
  ],
  ['a month quota may be added', BASIC, { perMonth: 50_000 }, { ...BASIC, perMonth: 50_000 }],
  [
    'a month quota of the plan is kept',
    { ...BASIC, perMonth: 90_000 },
    { perDay: 5_000 },
    { ...BASIC, perDay: 5_000, perMonth: 90_000 },
  ],
])('%s', (_, plan, override, expected) => {
  expect(effectiveLimits(plan, override)).toEqual(expected);
});

test('every part that an override names is in force', () => {
  holds(
    fc.property(
      validLimits,
      validLimits,
      (plan, override) => void expect(effectiveLimits(plan, override)).toMatchObject(override),
    ),
  );
});

test('a changed rate keeps the ratio of burst to rate, to half a request', () => {
  holds(
    fc.property(validLimits, fc.integer({ min: 1, max: 100_000_000 }), (plan, perMinute) => {
      const { burst } = effectiveLimits(plan, { perMinute });
      expect(Number.isInteger(burst)).toBe(true);
      expect(Math.abs(burst - Math.max(1, (perMinute * plan.burst) / plan.perMinute))).toBeLessThanOrEqual(0.5001);
    }),
  );
});

test('a changed rate alone never makes valid limits invalid, as long as the day holds it', () => {
  holds(
    fc.property(validLimits, fc.integer({ min: 1, max: 100_000_000 }), (plan, perMinute) => {
      fc.pre(perMinute <= plan.perDay);
      expect(limitProblems(effectiveLimits(plan, { perMinute }))).toEqual([]);
    }),
  );
});

test('what anyone may save has no problems, and neither have the three plans', () => {
  holds(fc.property(validLimits, (limits) => void expect(limitProblems(limits)).toEqual([])));
  for (const plan of [BASIC, PREMIUM, ENTERPRISE]) expect(limitProblems(plan)).toEqual([]);
});

test.each([
  [{ isShadow: true }, {}, true],
  [{ isShadow: true }, { isShadow: false }, false],
  [{ isShadow: false }, { isShadow: true }, true],
  [{}, { perMinute: 5 }, false],
])('of the plan %j and the override %j in shadow: %j', (plan, override, expected) => {
  expect(isInShadow(plan, override)).toBe(expected);
});

test("a plan's name is not taken for a limit", () => {
  const plan: Plan = { name: 'basic', ...BASIC, isShadow: false };
  expect(limitProblems(plan)).toEqual([]);
});

const whole = (what: string) => [`${what} must be a whole number of at least 1`];

test.each<[string, Partial<Limits>, string[]]>([
  ['no requests a minute', { perMinute: 0 }, whole('the limit per minute')],
  ['a negative rate', { perMinute: -1 }, whole('the limit per minute')],
  ['half a request', { perMinute: 0.5 }, whole('the limit per minute')],
  ['no number', { perMinute: Number.NaN }, whole('the limit per minute')],
  ['no end', { perDay: Number.POSITIVE_INFINITY }, whole('the limit per day')],
  ['no burst', { burst: 0 }, whole('the burst')],
  ['no day quota', { perDay: 0 }, whole('the limit per day')],
  ['no month quota', { perMonth: 0 }, whole('the limit per month')],
  ['more than 10^12', { perDay: 1_000_000_000_001 }, ['the limit per day must be at most 1000000000000']],
  ['a day below a minute', { perDay: 99 }, ['the limit per day must not be below the limit per minute']],
  ['a day of one minute', { perDay: 100 }, []],
  ['a month below a day', { perMonth: 9_999 }, ['the limit per month must not be below the limit per day']],
  ['a month of one day', { perMonth: 10_000 }, []],
  ['a burst of ten minutes', { burst: 1_000 }, []],
  ['a burst above ten minutes', { burst: 1_001 }, ['the burst must be at most 10 times the limit per minute']],
  ['a burst of 1', { burst: 1 }, []],
])('%s', (_, changes, problems) => {
  expect(limitProblems({ ...BASIC, ...changes })).toEqual(problems);
});

test('all mistakes are told at once', () => {
  expect(limitProblems({ perMinute: 0, burst: -1, perDay: 1.5, perMonth: Number.NaN })).toHaveLength(4);
  expect(limitProblems({ perMinute: 100, burst: 1_001, perDay: 99, perMonth: 98 })).toHaveLength(3);
});

test('a save can tell that a day quota of the basic plan lasts 98.5 minutes', () => {
  expect(dayQuotaLastsMinutes(BASIC)).toBe(98.5);
});

test('a caller at full rate from a full bucket has used up the day after just that long', () => {
  holds(
    fc.property(validLimits, (limits) => {
      const minutes = dayQuotaLastsMinutes(limits);
      const admitted = limits.burst + minutes * limits.perMinute;
      if (limits.burst >= limits.perDay) expect(minutes).toBe(0);
      else expect(Math.abs(admitted - limits.perDay)).toBeLessThan(1e-3);
    }),
  );
});
