import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isoMicros } from '@tollgate/domain/usage-event';
import { createKafkaEventLogReader } from '@tollgate/event-log/kafka/kafka-event-log-reader';
import { createKafkaEventLogWriter } from '@tollgate/event-log/kafka/kafka-event-log-writer';
import { createKafkaTopics } from '@tollgate/event-log/kafka/kafka-topics';
import { freshDatabase } from '@tollgate/testing/database';
import { aTopicName, type KafkaServer, startKafka } from '@tollgate/testing/kafka';
import { until } from '@tollgate/testing/until';
import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { anEvent } from '../../packages/event-log/test/an-event.js';
import { readConfig as readCollectorConfig } from '../src/collector/config.js';
import { startCollector } from '../src/collector/service.js';
import { readConfig as readWriterConfig } from '../src/writer/config.js';
import { startWriter } from '../src/writer/service.js';
import { openAccessLogStream } from './collector/access-log-client.js';
import { aMessage, anEntry } from './collector/an-entry.js';

const DEADLINE_MS = 60_000;

let database: Awaited<ReturnType<typeof freshDatabase>>;
let pool: pg.Pool;
let kafka: KafkaServer;

beforeAll(async () => {
  [database, kafka] = await Promise.all([freshDatabase(), startKafka()]);
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
});
afterAll(async () => {
  await Promise.all([pool.end(), kafka.close()]);
  await database.close();
});

/** A gateway's way of usage, with topics and a folder of its own. */
async function aPipeline() {
  const topic = aTopicName();
  const folder = await mkdtemp(join(tmpdir(), 'kafka-pipeline-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const topicSettings = { partitions: 12, replicationFactor: 1, retentionMs: 86_400_000 };
  const topics = [topic, `${topic}-dead-letter`];
  await until(async () => (await createKafkaTopics(kafka, topics, topicSettings)) && true, DEADLINE_MS, 'making topics');
  const settings = {
    KAFKA_BROKERS: kafka.brokers.join(','),
    KAFKA_TOPIC: topic,
    KAFKA_BATCH_TIME: '20ms',
    KAFKA_TIMEOUT: '1s',
    ADMIN_LISTEN: '127.0.0.1:0',
    DATA_DIR: folder,
    LOG_LEVEL: 'silent',
  };
  const organizationId = randomUUID();
  return {
    topic,
    organizationId,
    collector: async () => {
      const config = readCollectorConfig({ ...settings, COLLECTOR_LISTEN: `unix:${join(folder, 'als.sock')}` });
      return closedLater(await startCollector(config));
    },
    writer: async () => closedLater(await startWriter(readWriterConfig({ ...settings, DATABASE_URL: database.url }))),
    entries: (first: number, count: number) =>
      Array.from({ length: count }, (_, index) =>
        anEntry({
          streamId: String(first + index).padStart(6, '0'),
          startSeconds: Math.floor(Date.now() / 1000),
          metadata: {
            'envoy.filters.http.ext_authz': { organization_id: organizationId, key_id: randomUUID(), environment: 'live' },
          },
        }),
      ),
  };
}

function closedLater<Service extends { close(): Promise<void> }>(service: Service): Service {
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= service.close();
    return closing;
  };
  onTestFinished(close);
  return { ...service, close };
}

async function requestIdsOf(organizationId: string): Promise<string[]> {
  const sql = 'SELECT request_id FROM usage_events WHERE organization_id = $1 ORDER BY request_id';
  return (await pool.query<{ request_id: string }>(sql, [organizationId])).rows.map((row) => row.request_id);
}

async function countOf(service: { adminAddress: string }, metric: string): Promise<number> {
  const page = await (await fetch(`http://${service.adminAddress}/metrics`)).text();
  const line = page.split('\n').find((text) => text.startsWith(metric)) ?? '';
  return Number(line.split(' ').at(-1));
}

const names = (count: number) => Array.from({ length: count }, (_, number) => String(number).padStart(6, '0'));

test('what Envoy tells becomes rows by way of Kafka', async () => {
  const { collector, writer, entries, organizationId } = await aPipeline();
  const [collecting, writing] = await Promise.all([collector(), writer()]);
  const stream = openAccessLogStream(collecting.address);
  stream.write(aMessage(entries(0, 300), 'edge-1'));
  await stream.end();
  stream.close();
  await until(async () => (await requestIdsOf(organizationId)).length === 300, DEADLINE_MS);
  expect(await countOf(collecting, 'tollgate_usage_events_total{stage="produced"')).toBe(300);
  await until(async () => (await countOf(writing, 'tollgate_usage_lag_events')) === 0, DEADLINE_MS);
});

test('while Kafka is away events wait on disk, the stream is read on, and all become rows when it is back', async () => {
  const { collector, writer, entries, organizationId } = await aPipeline();
  const [collecting] = await Promise.all([collector(), writer()]);
  const stream = openAccessLogStream(collecting.address);
  stream.write(aMessage(entries(0, 100), 'edge-1'));
  await until(async () => (await requestIdsOf(organizationId)).length === 100, DEADLINE_MS);
  await kafka.kill();
  for (let message = 1; message <= 20; message += 1) stream.write(aMessage(entries(message * 100, 100)));
  await until(async () => (await countOf(collecting, 'tollgate_usage_events_total{stage="spooled"')) >= 2000, DEADLINE_MS);
  const ready = await fetch(`http://${collecting.adminAddress}/health/ready`);
  expect([ready.status, await ready.json()]).toMatchObject([200, { status: 'degraded' }]);
  expect(await countOf(collecting, 'tollgate_usage_spool_events')).toBe(2000);
  await kafka.start();
  stream.write(aMessage(entries(2100, 100)));
  await stream.end();
  stream.close();
  await until(async () => (await requestIdsOf(organizationId)).length === 2200, DEADLINE_MS, 'rows of all');
  await until(async () => (await countOf(collecting, 'tollgate_usage_spool_bytes')) === 0, DEADLINE_MS, 'an empty spool');
  expect(await requestIdsOf(organizationId)).toEqual(names(2200));
  expect(await countOf(collecting, 'tollgate_usage_events_total{stage="produced"')).toBe(2200);
});

test('a collector that is stopped while Kafka is away leaves its events to the next one', async () => {
  const { collector, writer, entries, organizationId } = await aPipeline();
  const first = await collector();
  kafka.pause();
  const stream = openAccessLogStream(first.address);
  stream.write(aMessage(entries(0, 500), 'edge-1'));
  await until(async () => (await countOf(first, 'tollgate_usage_events_total{stage="received"')) === 500, DEADLINE_MS);
  await first.close();
  stream.close();
  kafka.resume();
  await Promise.all([collector(), writer()]);
  await until(async () => (await requestIdsOf(organizationId)).length === 500, DEADLINE_MS, 'rows of all');
});

test('a dead letter is kept in the table and copied to its topic, whether the writer or the database refused it', async () => {
  const { writer, topic } = await aPipeline();
  const route = `refused in ${topic}`;
  await pool.query(`ALTER TABLE usage_events ADD CONSTRAINT of_a_test CHECK (route <> '${route}')`);
  onTestFinished(() => pool.query('ALTER TABLE usage_events DROP CONSTRAINT of_a_test').then(() => {}));
  const poison = [
    Buffer.from('{"v":2}'),
    Buffer.from(JSON.stringify({ ...anEvent(1), time: isoMicros(BigInt(Date.now()) * 1000n), route })),
  ];
  const log = createKafkaEventLogWriter({ connection: kafka, topic, deadlineMs: 10_000 });
  await log.appendRaw(poison);
  await log.close();
  const writing = await writer();
  const copies: Buffer[] = [];
  const deadLetterTopic = `${topic}-dead-letter`;
  const reader = createKafkaEventLogReader({ connection: kafka, topic: deadLetterTopic, group: deadLetterTopic });
  onTestFinished(() => reader.close());
  void reader.run(
    async () => undefined,
    async ({ records }) => {
      copies.push(...records.map(({ value }) => value));
    },
  );
  await until(() => copies.length === 2, DEADLINE_MS, 'the copies');
  expect(new Set(copies.map(String))).toEqual(new Set(poison.map(String)));
  expect(await countOf(writing, 'tollgate_usage_dead_letter_copies_total{outcome="copied"')).toBe(2);
  const { rows } = await pool.query('SELECT reason FROM usage_dead_letters WHERE topic = $1 ORDER BY reason', [topic]);
  expect(rows).toEqual([{ reason: 'refused by PostgreSQL (23514, of_a_test)' }, { reason: 'unknown version (v)' }]);
});
