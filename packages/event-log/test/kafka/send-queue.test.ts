import fc from 'fast-check';
import type { Message } from 'kafkajs';
import { expect, test } from 'vitest';
import { createSendQueue } from '../../src/kafka/send-queue.js';

const messages = (values: readonly string[]): Message[] => values.map((value) => ({ key: null, value }));

test('whatever the sizes of appends, messages are taken once and in order, and an append resolves with its last one', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 2500 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 2000 }), (counts, bytes) => {
      const queue = createSendQueue();
      const resolved: number[] = [];
      const ends: number[] = [];
      let total = 0;
      for (const [index, count] of counts.entries()) {
        const values = Array.from({ length: count }, () => String(total++).padEnd(bytes, '.'));
        ends.push(total);
        queue.push({ messages: messages(values), bytes: 1, resolve: () => resolved.push(index), reject: () => {} });
      }
      let next = 0;
      while (queue.messages() > 0) {
        const taken = queue.take();
        expect(taken.length).toBeGreaterThan(0);
        for (const { value } of taken) expect(Number.parseInt(String(value), 10)).toBe(next++);
        queue.taken();
        expect(resolved).toEqual(ends.flatMap((end, index) => (end <= next ? [index] : [])));
      }
      expect([next, queue.bytes()]).toEqual([total, 0]);
    }),
    { numRuns: 30 },
  );
});

test('a request stays below what Kafka takes, but for a message that is larger alone', () => {
  const queue = createSendQueue();
  const values = [400_000, 400_000, 900_000, 10].map((length) => 'x'.repeat(length));
  queue.push({ messages: messages(values), bytes: 1_700_010, resolve: () => {}, reject: () => {} });
  const lengths: number[][] = [];
  while (queue.messages() > 0) {
    lengths.push(queue.take().map(({ value }) => value?.length ?? 0));
    queue.taken();
  }
  expect(lengths).toEqual([[400_000], [400_000], [900_000], [10]]);
});

test('a failure rejects all that waits, in order, and leaves an empty queue', () => {
  const queue = createSendQueue();
  const rejected: string[] = [];
  for (const name of ['a', 'b', 'c']) {
    queue.push({ messages: messages([name]), bytes: 1, resolve: () => {}, reject: (error) => rejected.push(`${name} ${error}`) });
  }
  queue.take();
  queue.rejectAll('gone');
  queue.taken();
  expect(rejected).toEqual(['a gone', 'b gone', 'c gone']);
  expect([queue.messages(), queue.bytes()]).toEqual([0, 0]);
});
