import { expect, test } from 'vitest';
import type { AppliedLimit, Window } from '../src/applied-limits.js';
import { decide } from '../src/decide.js';
import type { LimitState } from '../src/limit-store.js';

const NOW = Date.UTC(2026, 10, 23, 9, 59, 48, 123);
const NOW_SECONDS = Math.floor(NOW / 1000);

function applied(window: Window, limit: number, scope = 'organization'): AppliedLimit {
  return { window, limit, store: { kind: 'rate', id: `${scope}:${window}`, perMinute: limit, burst: limit } };
}
function state(remaining: number, waitMs = 0, resetInMs = 10_000): LimitState {
  return { remaining, waitMs, resetAtMs: NOW + resetInMs };
}
const shadowed = (window: Window, limit: number, scope?: string): AppliedLimit => {
  const { store, ...shown } = applied(window, limit, scope);
  return { ...shown, store: { ...store, isShadow: true } };
};
const decided = (limits: AppliedLimit[], states: LimitState[], isDegraded = false) =>
  decide(limits, {
    isAllowed: states.every(({ waitMs }, i) => waitMs === 0 || limits[i]?.store.isShadow === true),
    isDegraded,
    states,
    nowMs: NOW,
  });

test('what passes shows each window, with the second at which it is full or starts anew', () => {
  const found = decided([applied('minute', 100), applied('day', 10_000)], [state(149, 0, 500), state(9_999)]);
  expect(found).toEqual({
    kind: 'allowed',
    isDegraded: false,
    windows: [
      { window: 'minute', limit: 100, remaining: 149, resetAt: NOW_SECONDS + 1 },
      { window: 'day', limit: 10_000, remaining: 9_999, resetAt: NOW_SECONDS + 11 },
    ],
  });
});

test('of an organization’s and a key’s limit, the tighter is shown', () => {
  const limits = [applied('minute', 100), applied('day', 1_000), applied('minute', 10, 'key')];
  expect(decided(limits, [state(50), state(9), state(4)])).toMatchObject({
    windows: [
      { window: 'minute', limit: 10, remaining: 4 },
      { window: 'day', remaining: 9 },
    ],
  });
  expect(decided(limits, [state(3), state(9), state(4)])).toMatchObject({ windows: [{ window: 'minute', limit: 100 }, {}] });
});

test('what is denied names the limit that takes longest, and the wait for it in whole seconds, rounded up', () => {
  const limits = [applied('minute', 100), applied('day', 10_000)];
  expect(decided(limits, [state(0, 600), state(5)])).toMatchObject({
    kind: 'limited',
    trip: { window: 'minute', limit: 100, remaining: 0, retryAfter: 1, resetAt: NOW_SECONDS + 1 },
  });
  expect(decided(limits, [state(0, 600), state(0, 50_401_000)])).toMatchObject({
    trip: { window: 'day', limit: 10_000, retryAfter: 50_401, resetAt: NOW_SECONDS + 50_402 },
  });
  expect(decided(limits, [state(0, 1_000), state(1)])).toMatchObject({ trip: { retryAfter: 1 } });
  expect(decided(limits, [state(0, 1_001), state(1)])).toMatchObject({ trip: { retryAfter: 2 } });
});

test('a cost above the limit itself never fits, so nobody is told when to come back', () => {
  const found = decided(
    [applied('minute', 100), applied('day', 10_000)],
    [state(100, Number.POSITIVE_INFINITY), state(0, 5_000)],
  );
  expect(found).toMatchObject({ trip: { window: 'minute', retryAfter: undefined } });
});

test('an answer that the store did not give says so', () => {
  expect(decided([applied('minute', 100)], [state(1)], true)).toMatchObject({ isDegraded: true });
});

test('a store that loses a state is an error, not a pass', () => {
  expect(() => decided([applied('minute', 100), applied('day', 1)], [state(1)])).toThrow('fewer states');
});

test('what only a limit in shadow would deny passes, and is told which one and for how long', () => {
  const limits = [shadowed('minute', 100), shadowed('day', 10_000), applied('minute', 5, 'key')];
  expect(decided(limits, [state(0, 600), state(5), state(3)])).toMatchObject({
    kind: 'shadow',
    trip: { window: 'minute', limit: 100, remaining: 0, retryAfter: 1 },
  });
  expect(decided(limits, [state(0, 600), state(0, 9_001), state(3)])).toMatchObject({ kind: 'shadow', trip: { window: 'day' } });
  expect(decided(limits, [state(4), state(5), state(3)])).toMatchObject({ kind: 'allowed' });
});

test('what is denied names an enforced limit, even where one in shadow would take longer', () => {
  const limits = [shadowed('day', 10_000), applied('minute', 5, 'key')];
  expect(decided(limits, [state(0, 9_000), state(0, 600)])).toMatchObject({
    kind: 'limited',
    trip: { window: 'minute', limit: 5, retryAfter: 1 },
  });
});

test('a limit in shadow is shown only where none of its window is enforced', () => {
  const limits = [shadowed('minute', 100), shadowed('day', 10_000), applied('minute', 5, 'key')];
  const { windows } = decided(limits, [state(0, 600), state(7), state(3)]) as { windows: object[] };
  expect(windows).toMatchObject([
    { window: 'minute', limit: 5, remaining: 3 },
    { window: 'day', limit: 10_000, remaining: 7 },
  ]);
});
