import { expect, test } from 'vitest';
import { steadyClock } from '../../src/memory/steady-clock.js';

test('small corrections of the wall clock do not show, a step does', () => {
  let [monotonicMs, wallMs] = [5, 1_000_000];
  const now = steadyClock(
    () => monotonicMs,
    () => wallMs,
  );
  monotonicMs += 10.5;
  wallMs += 900; // the wall clock ran ahead by 889.5 ms
  expect(now()).toBe(1_000_010.5);
  wallMs += 3_600_000; // an hour of sleep, which the monotonic clock did not see
  expect(now()).toBe(wallMs);
  wallMs -= 7_200_000;
  expect(now()).toBe(wallMs);
});
