import { setImmediate as nextTurn } from 'node:timers/promises';
import { oldGenerationGrowth } from '@tollgate/testing/old-generation';
import { expect, test } from 'vitest';
import type { TakeRequest, TakeResult } from '../../src/limit-store.js';
import { gatherTakes } from '../../src/redis/take-batches.js';

const request = (cost: number): TakeRequest => ({ organizationId: 'acme', cost, limits: [] });
const answered = ({ cost }: TakeRequest): TakeResult => ({ isAllowed: true, states: [], nowMs: cost });

test('takes of one turn go together by their way and word, each with its own answer', async () => {
  const sent: string[] = [];
  const take = gatherTakes(async (lane: string, takes) => {
    sent.push(`${lane} ${takes.map(({ cost }) => cost)}`);
    return takes.map(answered);
  });
  const results = await Promise.all([
    take('a', 'one', request(1)),
    take('a', 'one', request(2)),
    take('a', 'two', request(3)),
    take('b', 'one', request(4)), // another way under a word goes after what waited under it
  ]);
  expect(results.map(({ nowMs }) => nowMs)).toEqual([1, 2, 3, 4]);
  expect(sent).toEqual(['a 1,2', 'b 4', 'a 3']);
  await take('a', 'one', request(5));
  expect(sent.at(-1)).toBe('a 5');
});

test('at most 64 go together', async () => {
  const sizes: number[] = [];
  const take = gatherTakes(async (_: string, takes) => {
    sizes.push(takes.length);
    return takes.map(answered);
  });
  await Promise.all(Array.from({ length: 150 }, (_, i) => take('a', 'one', request(i))));
  expect(sizes).toEqual([64, 64, 22]);
});

test('a failure is that of all that went together, and of no others', async () => {
  const take = gatherTakes(async (lane: string, takes) => {
    if (lane === 'broken') throw new Error('gone');
    return takes.map(answered);
  });
  const outcomes = await Promise.allSettled([
    take('broken', 'x', request(1)),
    take('broken', 'x', request(2)),
    take('a', 'y', request(3)),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
});

test('a take that is answered is gone with the next young collection, however long takes have been gathered', async () => {
  const take = gatherTakes(async (_: string, takes) => takes.map(answered));
  const waiting = take('a', 'one', request(0));
  const grownBytes = await oldGenerationGrowth(async () => {
    await waiting;
    for (let i = 0; i < 60_000; i++) {
      await take('a', 'one', request(i));
      if (i % 10 === 0) await nextTurn();
    }
  });
  expect(grownBytes).toBeLessThan(2_000_000);
});
