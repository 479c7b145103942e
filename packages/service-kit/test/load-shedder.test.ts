import { createLoadShedder } from '@tollgate/service-kit/load-shedder';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const OPTIONS = { maxInFlight: 3, maxDelayMs: 20, maxLateMs: 200 };

/** A loop whose rounds take as long as the test says. */
function loop(options = OPTIONS) {
  let nowMs = 1000;
  const shedder = createLoadShedder({ ...options, now: () => nowMs });
  const enter = (): boolean => {
    const isIn = shedder.tryEnter(nowMs);
    if (isIn) shedder.leave();
    return isIn;
  };
  /** Works for so long, and then comes round. */
  const round = (ms: number): void => {
    nowMs += ms;
    vi.advanceTimersByTime(10);
  };
  const work = (ms: number): void => {
    nowMs += ms;
  };
  return { shedder, enter, round, work, now: () => nowMs };
}

test('so many calls are in work at once, and one that leaves makes room for one', () => {
  const { shedder, now } = loop();
  expect([1, 2, 3, 4, 5].map(() => shedder.tryEnter(now()))).toEqual([true, true, true, false, false]);
  shedder.leave();
  expect([1, 2].map(() => shedder.tryEnter(now()))).toEqual([true, false]);
});

test('a call that was shed takes no place', () => {
  const { shedder, now } = loop();
  for (let i = 0; i < 100; i++) shedder.tryEnter(now());
  for (let i = 0; i < 3; i++) shedder.leave();
  expect([1, 2, 3, 4].map(() => shedder.tryEnter(now()))).toEqual([true, true, true, false]);
});

test('a loop that is late for too long sheds what comes after the delay that is allowed', () => {
  const { enter, round, work } = loop();
  for (let i = 0; i < 5; i++) round(50);
  expect(enter()).toBe(true);
  work(30);
  expect(enter()).toBe(true);
  work(1);
  expect(enter()).toBe(false);
  work(100);
  expect(enter()).toBe(false);
});

test('bursts that are worked off in time shed nothing, however many there are', () => {
  const { enter, round, work } = loop();
  for (let i = 0; i < 10; i++) {
    round(50);
    round(50);
    work(60);
    expect(enter()).toBe(true);
    round(0);
    round(10);
  }
});

test('one pause, however long, sheds nothing', () => {
  const { enter, round, work } = loop();
  for (let i = 0; i < 10; i++) round(10);
  work(900);
  expect(enter()).toBe(true);
  round(0);
  expect(enter()).toBe(true);
  round(10);
  work(900);
  expect(enter()).toBe(true);
});

test('the first round in time ends the shedding', () => {
  const { enter, round, work } = loop();
  for (let i = 0; i < 5; i++) round(50);
  work(50);
  expect(enter()).toBe(false);
  round(0);
  expect(enter()).toBe(true);
  round(10);
  work(150);
  expect(enter()).toBe(true);
});

test('a loop that keeps its rhythm sheds nothing', () => {
  const { enter, round, work } = loop();
  for (let i = 0; i < 100; i++) {
    round(25);
    work(5);
    expect(enter()).toBe(true);
  }
});

test('a closed one looks at no clock any more', () => {
  const { shedder } = loop();
  shedder.close();
  expect(vi.getTimerCount()).toBe(0);
});
