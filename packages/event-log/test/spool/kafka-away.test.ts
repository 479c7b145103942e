import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import { type KafkaServer, startKafka } from '@tollgate/testing/kafka';
import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { EventLogWriter } from '../../src/event-log.js';
import { createKafkaEventLogReader } from '../../src/kafka/kafka-event-log-reader.js';
import { createKafkaEventLogWriter } from '../../src/kafka/kafka-event-log-writer.js';
import { openSpoolingEventLogWriter, type SpoolingEventLogWriter } from '../../src/spooling-event-log-writer.js';
import { aTopic } from '../kafka/a-topic.js';
import { anAccount } from './an-account.js';

const DEADLINE_MS = 60_000;
const EVENTS_PER_SECOND = 1000;
const SHORT_MS = 4000;
const LONG_MS = 30_000;
const LONG_TEST_MS = 150_000;

let kafka: KafkaServer;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.close());

async function aSpoolBeforeKafka() {
  const { topic } = await aTopic({ partitions: 12, connection: kafka });
  const folder = await mkdtemp(join(tmpdir(), 'spool-'));
  const log = createKafkaEventLogWriter({ connection: kafka, topic, batchMs: 50, deadlineMs: 1000 });
  const writer = await openSpoolingEventLogWriter({ log, folder });
  onTestFinished(async () => {
    await writer.close();
    await rm(folder, { recursive: true, force: true });
  });
  return { topic, writer };
}

async function readAll(topic: string): Promise<UsageEvent[]> {
  const events: UsageEvent[] = [];
  const reader = createKafkaEventLogReader({ connection: kafka, topic, group: topic, maxConcurrent: 1 });
  const run = reader.run(
    async () => undefined,
    async ({ records }) => {
      events.push(...records.map(({ value }) => JSON.parse(value.toString()) as UsageEvent));
    },
  );
  await reader.caughtUp();
  await reader.close();
  await run;
  return events;
}

/** Appends at a steady rate while Kafka goes away and comes back, and returns what did not arrive as it should. */
async function throughAnAbsence(
  { topic, writer }: { topic: string; writer: SpoolingEventLogWriter },
  absence: { begin: () => Promise<void> | void; end: () => Promise<void> | void; forMs: number },
  through: EventLogWriter = writer,
) {
  const account = anAccount();
  await account.appendFor(through, 1000, EVENTS_PER_SECOND);
  await absence.begin();
  await account.appendFor(through, absence.forMs, EVENTS_PER_SECOND);
  const spooled = writer.depth().events;
  await absence.end();
  await account.appendFor(through, 1000, EVENTS_PER_SECOND);
  await until(() => writer.depth().reason === undefined, DEADLINE_MS, 'an empty spool');
  await account.appendFor(through, 500, EVENTS_PER_SECOND);
  return { spooled, acknowledged: account.acknowledged(), ...account.losses(await readAll(topic)) };
}

test(
  'a Kafka that is killed under load and comes back after half a minute has all of it, in the order of each key',
  async () => {
    const result = await throughAnAbsence(await aSpoolBeforeKafka(), { begin: kafka.kill, end: kafka.start, forMs: LONG_MS });
    expect(result).toMatchObject({ lost: 0, disordered: 0 });
    expect(result.spooled).toBeGreaterThan(28_000);
    expect(result.acknowledged).toBeGreaterThan(32_000);
  },
  LONG_TEST_MS,
);

test('a Kafka that falls silent under load and answers again has all of it, in the order of each key', async () => {
  const result = await throughAnAbsence(await aSpoolBeforeKafka(), { begin: kafka.pause, end: kafka.resume, forMs: SHORT_MS });
  expect(result).toMatchObject({ lost: 0, disordered: 0 });
  expect(result.spooled).toBeGreaterThan(1000);
});

test('the account notices a writer that drops what Kafka refuses', async () => {
  const spool = await aSpoolBeforeKafka();
  const { topic } = spool;
  const log = createKafkaEventLogWriter({ connection: kafka, topic, batchMs: 50, deadlineMs: 1000 });
  onTestFinished(() => log.close());
  const dropping: EventLogWriter = { append: (events) => log.append(events).catch(() => {}), close: async () => {} };
  const result = await throughAnAbsence(spool, { begin: kafka.kill, end: kafka.start, forMs: SHORT_MS }, dropping);
  expect(result.lost).toBeGreaterThan(0);
});

test('the account notices events that overtake the spool', async () => {
  const spool = await aSpoolBeforeKafka();
  const log = createKafkaEventLogWriter({ connection: kafka, topic: spool.topic, batchMs: 5, deadlineMs: 500 });
  onTestFinished(() => log.close());
  const overtaking: EventLogWriter = {
    append: (events) => log.append(events).catch(() => spool.writer.append(events)),
    close: async () => {},
  };
  const result = await throughAnAbsence(spool, { begin: kafka.kill, end: kafka.start, forMs: SHORT_MS }, overtaking);
  expect(result.disordered).toBeGreaterThan(0);
});
