import { randomBytes } from 'node:crypto';
import { sharedKafka } from '@tollgate/testing/kafka';
import kafkajs from 'kafkajs';
import { expect, onTestFinished, test } from 'vitest';
import { createKafkaEventLogReader } from '../../src/kafka/kafka-event-log-reader.js';
import { createKafkaEventLogWriter } from '../../src/kafka/kafka-event-log-writer.js';
import { aTopic } from './a-topic.js';

const MAX_BATCH_BYTES = 20_000;
const TOPIC_RESOURCE = 2;

/** A topic that takes no larger batch than that. */
async function aNarrowTopic(): Promise<string> {
  const { topic, close } = await aTopic();
  onTestFinished(close);
  const { brokers } = await sharedKafka();
  const admin = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  const configEntries = [{ name: 'max.message.bytes', value: String(MAX_BATCH_BYTES) }];
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: TOPIC_RESOURCE, name: topic, configEntries }] });
  await admin.disconnect();
  return topic;
}

/** Of no use to snappy. */
const aValue = (bytes: number): Buffer => Buffer.from(randomBytes(bytes).toString('base64url').slice(0, bytes));

async function aWriter(topic: string, onTooLarge?: (value: Buffer) => void) {
  const told = onTooLarge === undefined ? {} : { onTooLarge };
  const writer = createKafkaEventLogWriter({ connection: await sharedKafka(), topic, batchMs: 5, deadlineMs: 20_000, ...told });
  onTestFinished(() => writer.close());
  return writer;
}

/** In the order of their first copies. */
async function valuesIn(topic: string): Promise<string[]> {
  const reader = createKafkaEventLogReader({ connection: await sharedKafka(), topic, group: topic });
  const values = new Set<string>();
  const run = reader.run(
    async () => undefined,
    async ({ records }) => {
      for (const { value } of records) values.add(value.toString());
    },
  );
  await reader.caughtUp();
  await reader.close();
  await run;
  return [...values];
}

test('a batch that is larger than the topic takes is sent in parts, and all of it arrives in order', async () => {
  const topic = await aNarrowTopic();
  const writer = await aWriter(topic, () => expect.unreachable());
  const values = Array.from({ length: 200 }, () => aValue(1000));
  await writer.appendRaw(values);
  expect(await valuesIn(topic)).toEqual(values.map(String));
});

test('one value that is larger than the topic takes is told, and those around it arrive in order', async () => {
  const topic = await aNarrowTopic();
  const tooLarge: Buffer[] = [];
  const writer = await aWriter(topic, (value) => tooLarge.push(value));
  const [before, huge, after] = [aValue(1000), aValue(2 * MAX_BATCH_BYTES), aValue(1000)];
  await Promise.all([writer.appendRaw([before, huge, after]), writer.appendRaw([huge]), writer.appendRaw([aValue(10)])]);
  expect(tooLarge.map(String)).toEqual([huge, huge].map(String));
  expect((await valuesIn(topic)).slice(0, 2)).toEqual([before, after].map(String));
  expect(await valuesIn(topic)).toHaveLength(3);
});

test('where nobody is told of it, an append with a value that is too large is not acknowledged', async () => {
  const writer = await aWriter(await aNarrowTopic());
  await expect(writer.appendRaw([aValue(2 * MAX_BATCH_BYTES)])).rejects.toThrow(/larger than the max message size/);
});
