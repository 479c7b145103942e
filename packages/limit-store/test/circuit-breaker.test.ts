import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type CircuitBreaker, createCircuitBreaker } from '../src/circuit-breaker.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('one probe at a time, each about half a second, until one succeeds', async () => {
  const { breaker, probed } = guarded(() => (probed.length < 4 ? Promise.reject(new Error('still gone')) : Promise.resolve()));
  failThrice(breaker);
  expect(breaker.isOpen()).toBe(true);
  await vi.advanceTimersByTimeAsync(4 * 625);
  expect(probed.length).toBe(4);
  expect(breaker.isOpen()).toBe(false);
  const gaps = probed.slice(1).map((atMs, i) => atMs - (probed[i] ?? 0));
  for (const gapMs of gaps) expect(gapMs >= 374 && gapMs <= 626).toBe(true);
});

test('a probe that hangs is not joined by a second', async () => {
  const { breaker, probed } = guarded(() => new Promise(() => {}));
  failThrice(breaker);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(probed.length).toBe(1);
});

test('what fails again at once is not tried again at once: at most one opening in five seconds', async () => {
  const { breaker, changes } = guarded(() => Promise.resolve());
  failThrice(breaker);
  await vi.advanceTimersByTimeAsync(626);
  expect(breaker.isOpen()).toBe(false);
  failThrice(breaker);
  await vi.advanceTimersByTimeAsync(4_300);
  expect(breaker.isOpen()).toBe(true);
  await vi.advanceTimersByTimeAsync(701);
  expect(breaker.isOpen()).toBe(false);
  expect(changes).toEqual([true, false, true, false]);
});

test('a success between failures begins the count anew; results of calls begun before the opening change nothing', async () => {
  const { breaker } = guarded(() => new Promise(() => {}));
  breaker.failed(breaker.round(), new Error());
  breaker.failed(breaker.round(), new Error());
  breaker.succeeded();
  breaker.failed(breaker.round(), new Error());
  breaker.failed(breaker.round(), new Error());
  expect(breaker.isOpen()).toBe(false);
  breaker.failed(breaker.round(), new Error());
  breaker.succeeded();
  expect(breaker.isOpen()).toBe(true);
});

test('sixty-four that fail at one moment are one failure; it takes three moments', () => {
  const { breaker, changes } = guarded(() => new Promise(() => {}));
  const failTogether = () => {
    const rounds = Array.from({ length: 64 }, () => breaker.round());
    for (const round of rounds) breaker.failed(round, new Error('late'));
  };
  failTogether();
  failTogether();
  expect(changes).toEqual([]);
  failTogether();
  expect(changes).toEqual([true]);
});

test('a closed-down breaker probes no more', async () => {
  const { breaker, probed } = guarded(() => Promise.resolve());
  failThrice(breaker);
  breaker.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(probed).toEqual([]);
});

function guarded(probe: () => Promise<unknown>) {
  const [probed, changes]: [number[], boolean[]] = [[], []];
  const breaker = createCircuitBreaker({
    probe: () => {
      probed.push(performance.now());
      return probe();
    },
    onChange: (isOpen) => void changes.push(isOpen),
  });
  return { breaker, probed, changes };
}

function failThrice(breaker: CircuitBreaker): void {
  for (let i = 0; i < 3; i++) breaker.failed(breaker.round(), new Error('gone'));
}
