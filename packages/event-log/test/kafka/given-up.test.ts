import { type KafkaServer, startKafka } from '@tollgate/testing/kafka';
import { until } from '@tollgate/testing/until';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createKafkaEventLogReader } from '../../src/kafka/kafka-event-log-reader.js';
import { createKafkaEventLogWriter } from '../../src/kafka/kafka-event-log-writer.js';
import { anEvent } from '../an-event.js';
import { aTopic } from './a-topic.js';

const DEADLINE_MS = 60_000;
const TIMEOUT_MS = 500;

let kafka: KafkaServer;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.close());

type Send = (number: number) => Promise<unknown>;

/** Sends one event that Kafka hears of only after it was given up, then another; returns the numbers that are in the topic. */
async function sentAroundASilence(topic: string, send: Send): Promise<number[]> {
  await until(() => send(1).then(() => true), DEADLINE_MS, 'a first event');
  kafka.pause();
  try {
    await expect(send(2)).rejects.toThrow();
  } finally {
    kafka.resume();
  }
  const numbers: number[] = [];
  const reader = createKafkaEventLogReader({ connection: kafka, topic, group: topic });
  onTestFinished(() => reader.close());
  void reader.run(
    async () => undefined,
    async ({ records }) => {
      numbers.push(...records.map(({ value }) => Number.parseInt(JSON.parse(value.toString()).event_id, 16)));
    },
  );
  await until(() => numbers.includes(2), DEADLINE_MS, 'the event that was given up');
  await until(() => send(3).then(() => true), DEADLINE_MS, 'a last event');
  await reader.caughtUp();
  return numbers;
}

test('an event that follows one that was given up, and that arrived all the same, is not taken for its repetition', async () => {
  const { topic } = await aTopic({ connection: kafka });
  const writer = createKafkaEventLogWriter({ connection: kafka, topic, batchMs: 1, deadlineMs: TIMEOUT_MS });
  onTestFinished(() => writer.close());
  expect(await sentAroundASilence(topic, (number) => writer.append([anEvent(number)]))).toContain(3);
});

test('with a producer that is used on after a failure the event is acknowledged and lost', async () => {
  const { topic } = await aTopic({ connection: kafka });
  const client = new kafkajs.Kafka({
    brokers: [...kafka.brokers],
    requestTimeout: TIMEOUT_MS,
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const retry = { retries: 1, initialRetryTime: 50 };
  const options = { idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false, retry };
  const producer = client.producer({ ...options, createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await until(() => producer.connect().then(() => true), DEADLINE_MS, 'connecting');
  onTestFinished(() => producer.disconnect());
  const send = (number: number) =>
    producer.send({ topic, messages: [{ key: 'a', value: JSON.stringify(anEvent(number)) }], acks: -1, timeout: TIMEOUT_MS });
  expect(await sentAroundASilence(topic, send)).not.toContain(3);
});
