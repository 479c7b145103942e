import { expect, test } from 'vitest';
import { createCounterRounds } from '../../src/reconciler/compare-counters.js';

/** Rounds of which each has so many entries, by Envoy's counter, and so many that are stored of its time; returns what was told. */
async function toldOf(rounds: readonly [counter: number, stored: number][]): Promise<number[]> {
  let round = 0;
  const told: number[] = [];
  const run = createCounterRounds({
    entriesWritten: async () => rounds[round]?.[0] ?? 0,
    storedBetween: async () => rounds[round]?.[1] ?? 0,
    pause: async () => {},
    onLoss: (events) => void told.push(events),
    nowMs: () => round * 1000,
  });
  for (; round < rounds.length; round++) await run();
  return told;
}

test('what Envoy counted and nobody stored is told, and what came before the first round is not judged', async () => {
  expect(
    await toldOf([
      [1000, 0],
      [1100, 100],
      [1200, 93],
      [1300, 60],
    ]),
  ).toEqual([7, 40]);
});

test('an entry at the edge of a round is no loss when the next round has it', async () => {
  expect(
    await toldOf([
      [0, 0],
      [100, 101],
      [200, 99],
      [300, 100],
    ]),
  ).toEqual([]);
  expect(
    await toldOf([
      [0, 0],
      [100, 98],
      [200, 102],
      [300, 95],
    ]),
  ).toEqual([2, 3]);
});

test('an Envoy that was started anew begins to count anew', async () => {
  expect(
    await toldOf([
      [500, 0],
      [10, 0],
      [20, 10],
      [30, 9],
    ]),
  ).toEqual([1]);
});

test('what is still on its way is waited for', async () => {
  const stored = [0, 10, 10, 10, 40, 90, 100];
  const told: number[] = [];
  let counter = 0;
  const run = createCounterRounds({
    entriesWritten: async () => counter,
    storedBetween: async () => stored.shift() ?? 100,
    pause: async () => {},
    onLoss: (events) => void told.push(events),
    nowMs: () => 0,
  });
  await run();
  counter = 100;
  await run();
  expect(told).toEqual([]);
});

test('an Envoy that takes its time to answer has lost nothing', async () => {
  let nowMs = 0;
  const told: number[] = [];
  // An entry every ten milliseconds, each stored at once.
  const answerMs = [0, 200, 0, 300];
  const run = createCounterRounds({
    entriesWritten: async () => {
      nowMs += answerMs.shift() ?? 0;
      return nowMs / 10;
    },
    storedBetween: async (fromMs, toMs) => (toMs - fromMs) / 10,
    pause: async () => {},
    onLoss: (events) => void told.push(events),
    nowMs: () => nowMs,
  });
  for (let round = 0; round < 4; round++) {
    nowMs += 1000;
    await run();
  }
  expect(told).toEqual([]);
});
