import { expect, test } from 'vitest';
import { createBatchedLookup } from '../src/batched-lookup.js';

/** A store that answers a batch when the test lets it. */
function aLookup(parts: { maxBatch?: number; maxRunning?: number; maxWaiting?: number } = {}) {
  const batches: { keys: readonly string[]; answer(): void; fail(): void }[] = [];
  const lookUp = createBatchedLookup<string>({
    maxBatch: 3,
    maxRunning: 2,
    maxWaiting: 100,
    ...parts,
    findMany: (keys) =>
      new Promise((resolve, reject) => {
        const known = keys.filter((key) => !key.startsWith('no'));
        const answer = () => resolve(new Map(known.map((key) => [key, `value of ${key}`])));
        batches.push({ keys, answer, fail: () => reject(new Error('down')) });
      }),
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { lookUp, batches, settle };
}

test('a look-up is sent at once while a query is free; those after it travel together', async () => {
  const { lookUp, batches, settle } = aLookup();
  const answers = ['a', 'b', 'c', 'no d', 'e', 'f'].map(lookUp);
  expect(batches.map(({ keys }) => keys)).toEqual([['a'], ['b']]);
  batches[0]?.answer();
  await settle();
  expect(batches[2]?.keys).toEqual(['c', 'no d', 'e']);
  for (const batch of batches) batch.answer();
  await settle();
  batches[3]?.answer();
  expect(await Promise.all(answers)).toEqual(['value of a', 'value of b', 'value of c', undefined, 'value of e', 'value of f']);
});

test('a query that fails rejects its own look-ups, and the next are sent', async () => {
  const { lookUp, batches, settle } = aLookup({ maxRunning: 1 });
  const failed = expect(lookUp('a')).rejects.toThrow('down');
  const good = lookUp('b');
  batches[0]?.fail();
  await failed;
  await settle();
  batches[1]?.answer();
  expect(await good).toBe('value of b');
});

test('a key that is asked for again while its query is under way gets a query of its own', async () => {
  const { lookUp, batches, settle } = aLookup({ maxRunning: 1 });
  const [before, after] = [lookUp('a'), lookUp('a')];
  batches[0]?.answer();
  await before;
  await settle();
  expect(batches[1]?.keys).toEqual(['a']);
  batches[1]?.answer();
  expect(await after).toBe('value of a');
});

test('those that wait are bounded', async () => {
  const { lookUp } = aLookup({ maxRunning: 1, maxWaiting: 2 });
  for (const key of ['a', 'b', 'c']) void lookUp(key);
  await expect(lookUp('d')).rejects.toThrow('wait already');
});
