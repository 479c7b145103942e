import fc from 'fast-check';
import type { StoreLimit } from '../src/limit-store.js';

/** One step of a history: time passes (or the clock goes back), then a take. */
export interface Step {
  advanceMs: number;
  cost: number;
  limits: readonly StoreLimit[];
}

const burst = fc.integer({ min: 0, max: 30 });
const perMinute = fc.oneof(fc.constantFrom(1, 60, 600, 60_000, 10 / 60, 1 / 3, 0.1), fc.integer({ min: 1, max: 100_000 }));
export const anyRate = fc.record({ kind: fc.constant('rate' as const), id: fc.constantFrom('minute', 'key'), perMinute, burst });

const quota = fc.integer({ min: 0, max: 60 });
const anyDay = fc.record({
  kind: fc.constant('quota' as const),
  id: fc.constant('day'),
  quota,
  window: fc.constant('day' as const),
});
const anchorDay = fc.integer({ min: 1, max: 31 });
const anyMonth = fc.record({
  kind: fc.constant('quota' as const),
  id: fc.constant('month'),
  quota,
  window: fc.constant('month' as const),
  anchorDay,
});

export const anyLimits: fc.Arbitrary<StoreLimit[]> = fc.uniqueArray(fc.oneof(anyRate, anyRate, anyDay, anyMonth), {
  selector: (limit) => limit.id,
  minLength: 1,
  maxLength: 4,
});

export const anyWindow = fc.record({
  kind: fc.constant('window' as const),
  id: fc.constant('window'),
  quota,
  lengthMs: fc.constantFrom(1_000, 60_000, 3_600_000, 604_800_000, 31_536_000_000),
});
/** A window that a call may have beside other limits. */
const anyLimitsAndWindow: fc.Arbitrary<StoreLimit[]> = fc
  .tuple(anyLimits, fc.option(anyWindow, { nil: undefined }))
  .map(([limits, window]) => (window === undefined ? limits : [...limits.slice(0, 3), window]));
/** Some of them in shadow. */
const someInShadow = (anyOfThem: fc.Arbitrary<StoreLimit[]>): fc.Arbitrary<StoreLimit[]> =>
  fc
    .tuple(anyOfThem, fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }))
    .map(([limits, shadows]) => limits.map((limit, i) => ({ ...limit, isShadow: shadows[i] === true })));
export const anyShadowedLimits = someInShadow(anyLimits);
export const anyLimitsOfAllKinds = someInShadow(anyLimitsAndWindow);

export const anyCost = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 4 }) }, fc.integer({ min: 0, max: 40 }));

const shortMs = fc.double({ min: 0, max: 50, noNaN: true });
const longMs = fc.oneof(
  fc.constantFrom(1_000, 60_000, 3_600_000, 86_400_000, 2_678_400_000),
  fc.double({ min: 0, max: 1e8, noNaN: true }),
);
export const anyPauseMs = fc.oneof({ weight: 8, arbitrary: shortMs }, longMs);
/** Small corrections and clocks that had been wrong by hours. */
export const anyStepMs = fc.oneof(
  { weight: 8, arbitrary: anyPauseMs },
  fc.double({ min: -60_000, max: 0, noNaN: true }),
  fc.double({ min: -1e8, max: 0, noNaN: true }),
);
