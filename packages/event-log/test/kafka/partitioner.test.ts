import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import { rememberingPartitioner } from '../../src/kafka/partitioner.js';

const partitionsOf = (count: number) =>
  Array.from({ length: count }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 1,
    replicas: [1],
    isr: [1],
  }));

test("a key stays where Java's clients put it, remembered or not, also when the topic has got more partitions", () => {
  const remembering = rememberingPartitioner();
  const known = kafkajs.Partitioners.DefaultPartitioner();
  const keys = fc.constantFrom('a', 'b', '018f3a2e-0000-7000-8000-000000000001', '');
  fc.assert(
    fc.property(fc.array(fc.tuple(keys, fc.constantFrom(1, 12, 24))), (asked) => {
      for (const [key, count] of asked) {
        const question = { topic: 'usage', partitionMetadata: partitionsOf(count), message: { key, value: '' } };
        expect(remembering(question)).toBe(known(question));
      }
    }),
  );
});
