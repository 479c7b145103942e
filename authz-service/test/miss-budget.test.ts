import { fixedClock } from '@tollgate/testing/clock';
import { expect, test } from 'vitest';
import { createMissBudget } from '../src/miss-budget.js';

test('no second has more look-ups than the rate and the burst together, however they are spread', () => {
  const budget = createMissBudget({ perSecond: 40, burst: 10 });
  const clock = fixedClock();
  const takenAtMs: number[] = [];
  for (let step = 0; step < 5_000; step++) {
    for (let i = 0; i < 5; i++) if (budget.take(clock.now())) takenAtMs.push(clock.now());
    clock.advance(step % 7 === 0 ? 11 : 1);
  }
  for (const [i, fromMs] of takenAtMs.entries()) {
    const within = takenAtMs.slice(i, i + 60).filter((atMs) => atMs < fromMs + 1_000).length;
    expect(within).toBeLessThanOrEqual(50);
  }
  const seconds = ((takenAtMs.at(-1) ?? 0) - (takenAtMs[0] ?? 0)) / 1000;
  expect(takenAtMs.length).toBeGreaterThan(40 * seconds - 1);
});

test('a clock that jumps gives at most one burst, in either direction', () => {
  const budget = createMissBudget({ perSecond: 40, burst: 2 });
  const taken = (nowMs: number): number => [1, 2, 3, 4].filter(() => budget.take(nowMs)).length;
  expect(taken(1_000_000)).toBe(2);
  expect(taken(0)).toBe(0);
  expect(taken(9_000_000)).toBe(2);
});
