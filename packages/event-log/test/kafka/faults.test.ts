import { randomUUID } from 'node:crypto';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import { type KafkaServer, startKafka } from '@tollgate/testing/kafka';
import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { EventLogReader, EventLogWriter, LogBatch } from '../../src/event-log.js';
import { createKafkaEventLogReader } from '../../src/kafka/kafka-event-log-reader.js';
import { createKafkaEventLogWriter } from '../../src/kafka/kafka-event-log-writer.js';
import { anEvent } from '../an-event.js';
import { aTopic } from './a-topic.js';

const DEADLINE_MS = 60_000;

let kafka: KafkaServer;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.close());

async function aTopicOfOurs(partitions: number) {
  const made = await aTopic({ partitions, connection: kafka });
  const openWriter = (deadlineMs = 2000) => createKafkaEventLogWriter({ ...made, batchMs: 5, batchEvents: 20, deadlineMs });
  const openReader = (maxBatch = 100) =>
    createKafkaEventLogReader({ ...made, group: made.topic, maxBatch, maxPauseMs: 500, sessionMs: 6000 });
  return { ...made, openWriter, openReader };
}

/** Stands for the database: keeps a batch with its offset or not at all, and refuses one that begins before that. */
function aFencedStore() {
  const values: UsageEvent[] = [];
  const offsets = new Map<string, bigint>();
  const placeOf = (logId: string, topic: string, partition: number) => `${logId}/${topic}/${partition}`;
  return {
    values,
    findOffset: async (...place: [string, string, number]) => offsets.get(placeOf(...place)),
    store: async (batch: LogBatch) => {
      const place = placeOf(batch.logId, batch.topic, batch.partition);
      if ((offsets.get(place) ?? 0n) > batch.startOffset) throw new Error('stored by another owner');
      offsets.set(place, batch.nextOffset);
      values.push(...batch.records.map(({ value }) => JSON.parse(value.toString()) as UsageEvent));
    },
  };
}

function reading(reader: EventLogReader, store: ReturnType<typeof aFencedStore>) {
  const run = reader.run(store.findOffset, store.store);
  const close = async () => {
    await reader.close();
    await run;
  };
  onTestFinished(() => reader.close());
  return { close, caughtUp: reader.caughtUp };
}

const numberOf = (event: UsageEvent) => Number.parseInt(event.event_id, 16);

/** Appends one event after the other, each again until it is taken, and returns the numbers that were acknowledged. */
function appendingOn(openWriter: () => EventLogWriter, organizations: readonly string[]) {
  const writer = openWriter();
  const acknowledged: number[] = [];
  let next = 0;
  let isEnding = false;
  const lane = async (organization: string) => {
    while (!isEnding) {
      const event = { ...anEvent(next++), organization_id: organization };
      for (let isTaken = false; !isTaken; ) {
        isTaken = await writer.append([event]).then(
          () => true,
          () => false,
        );
      }
      acknowledged.push(numberOf(event));
    }
  };
  const lanes = Promise.all(organizations.map(lane));
  return {
    acknowledged,
    end: async () => {
      isEnding = true;
      await lanes;
      await writer.close();
      return acknowledged;
    },
  };
}

/** Of each organization, the numbers in the order in which they first arrived. */
function firstArrivals(events: readonly UsageEvent[]): number[][] {
  const seen = new Set<string>();
  const arrivals = new Map<string, number[]>();
  for (const event of events) {
    if (seen.has(event.event_id)) continue;
    seen.add(event.event_id);
    arrivals.set(event.organization_id, [...(arrivals.get(event.organization_id) ?? []), numberOf(event)]);
  }
  return [...arrivals.values()];
}

const inOrder = (numbers: readonly number[]) => numbers.toSorted((one, other) => one - other);

test('a broker that is killed and comes back under load loses nothing that was acknowledged, and keeps the order of each key', async () => {
  const { openWriter, openReader } = await aTopicOfOurs(12);
  const store = aFencedStore();
  const load = appendingOn(
    openWriter,
    Array.from({ length: 20 }, () => randomUUID()),
  );
  const reader = openReader();
  const { close } = reading(reader, store);
  for (const kill of [1, 2]) {
    await until(() => load.acknowledged.length > kill * 500, DEADLINE_MS, 'load');
    await kafka.kill();
    await kafka.start();
  }
  const before = load.acknowledged.length;
  await until(() => load.acknowledged.length > before + 500, DEADLINE_MS, 'load after the kills');
  const acknowledged = await load.end();
  const hasAll = () => new Set(store.values.map(numberOf)).size >= acknowledged.length;
  await until(hasAll, DEADLINE_MS, 'reading all of it');
  await close();
  const arrived = new Set(store.values.map(numberOf));
  expect(acknowledged.filter((number) => !arrived.has(number))).toEqual([]);
  for (const arrivals of firstArrivals(store.values)) expect(arrivals).toEqual(inOrder(arrivals));
});

test('the count above notices a writer that acknowledges before Kafka has', async () => {
  const { openWriter, openReader } = await aTopicOfOurs(12);
  const store = aFencedStore();
  const tooEarly = (): EventLogWriter => {
    const writer = openWriter();
    return {
      append: async (events) => {
        writer.append(events).catch(() => {});
        await new Promise(setImmediate);
      },
      close: writer.close,
    };
  };
  const load = appendingOn(
    tooEarly,
    Array.from({ length: 20 }, () => randomUUID()),
  );
  await until(() => load.acknowledged.length > 500, DEADLINE_MS, 'load');
  await kafka.kill();
  const acknowledged = [...(await load.end())];
  await kafka.start();
  await reading(openReader(), store).caughtUp();
  const arrived = new Set(store.values.map(numberOf));
  expect(acknowledged.filter((number) => !arrived.has(number)).length).toBeGreaterThan(0);
});

test('readers that come and go during batches neither lose nor double', async () => {
  const { openWriter, openReader } = await aTopicOfOurs(6);
  const store = aFencedStore();
  const load = appendingOn(
    openWriter,
    Array.from({ length: 20 }, () => randomUUID()),
  );
  const first = reading(openReader(7), store);
  await until(() => store.values.length > 200, DEADLINE_MS, 'reading');
  const second = reading(openReader(5), store);
  await until(() => store.values.length > 800, DEADLINE_MS, 'reading by two');
  await first.close();
  const third = reading(openReader(11), store);
  await until(() => store.values.length > 1400, DEADLINE_MS, 'reading by others');
  await second.close();
  const acknowledged = await load.end();
  await until(() => store.values.length >= acknowledged.length, DEADLINE_MS, 'reading all of it');
  await third.close();
  expect(inOrder(store.values.map(numberOf))).toEqual(inOrder(acknowledged));
});

test('a topic that is made anew while it is read is read from its beginning, under its own id', async () => {
  const { openWriter, openReader, makeAnew } = await aTopicOfOurs(2);
  const store = aFencedStore();
  const logIds = new Set<string>();
  const writer = openWriter(10_000);
  await writer.append([anEvent(1), anEvent(2)]);
  const reader = openReader();
  const run = reader.run(store.findOffset, async (batch) => {
    logIds.add(batch.logId);
    await store.store(batch);
  });
  onTestFinished(() => reader.close());
  await until(() => store.values.length === 2, DEADLINE_MS, 'reading');
  await makeAnew();
  await until(() => writer.append([anEvent(3), anEvent(4), anEvent(5)]).then(() => true), DEADLINE_MS, 'appending');
  await until(() => store.values.length >= 5, DEADLINE_MS, 'reading the new topic');
  await reader.close();
  await run;
  await writer.close();
  expect([...new Set(store.values.map(numberOf))]).toEqual([1, 2, 3, 4, 5]);
  expect(logIds.size).toBe(2);
});

test('a Kafka that answers nothing is waited for, by appends until their deadline and by readers for ever', async () => {
  const { openWriter, openReader } = await aTopicOfOurs(2);
  const store = aFencedStore();
  const writer = openWriter(1000);
  await until(() => writer.append([anEvent(1)]).then(() => true), DEADLINE_MS, 'appending');
  const { close } = reading(openReader(), store);
  await until(() => store.values.length === 1, DEADLINE_MS, 'reading');
  kafka.pause();
  try {
    await expect(writer.append([anEvent(2)])).rejects.toThrow('took longer than 1000 ms');
  } finally {
    kafka.resume();
  }
  await until(() => writer.append([anEvent(2)]).then(() => true), DEADLINE_MS, 'appending again');
  await until(() => store.values.some((event) => numberOf(event) === 2), DEADLINE_MS, 'reading again');
  await close();
  await writer.close();
});
