import { randomBytes } from 'node:crypto';
import kafkajs from 'kafkajs';
import { expect, onTestFinished, test } from 'vitest';
import { createKafkaEventLogReader } from '../../src/kafka/kafka-event-log-reader.js';
import { aTopic, type TestTopic } from './a-topic.js';

/** As many as `tollgate migrate up` makes. */
const PARTITIONS = 12;
/** Each as large as a batch of events is once snappy has been at it. */
const BATCHES = 5;
const BATCH_RECORDS = 40;
const RECORD_BYTES = 9_000;

async function fill({ connection, topic }: TestTopic): Promise<void> {
  const producer = new kafkajs.Kafka({ brokers: [...connection.brokers], logLevel: kafkajs.logLevel.NOTHING }).producer();
  await producer.connect();
  for (let partition = 0; partition < PARTITIONS; partition++)
    for (let batch = 0; batch < BATCHES; batch++) {
      const messages = Array.from({ length: BATCH_RECORDS }, () => ({ partition, value: randomBytes(RECORD_BYTES) }));
      await producer.send({ topic, messages, acks: -1 });
    }
  await producer.disconnect();
}

test('each partition of a backlog has its turn before any has its second', async () => {
  const filled = await aTopic({ partitions: PARTITIONS });
  onTestFinished(filled.close);
  await fill(filled);
  const { connection, topic } = filled;
  const reader = createKafkaEventLogReader({ connection, topic, group: topic, maxConcurrent: 1, maxBatch: BATCH_RECORDS });
  const turns: number[] = [];
  const run = reader.run(
    async () => undefined,
    async ({ partition }) => void turns.push(partition),
  );
  await reader.caughtUp();
  await reader.close();
  await run;
  expect(turns).toHaveLength(PARTITIONS * BATCHES);
  expect(new Set(turns.slice(0, PARTITIONS)).size).toBe(PARTITIONS);
});
