/** The way of usage from the collector on, each part a process (or server) of its own that can be killed at any moment. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BackgroundProcess, startBackgroundProcess, stopInSteps } from '@tollgate/embedded/background-process';
import { createKafkaTopics } from '@tollgate/event-log/kafka/kafka-topics';
import { type DatabaseServer, freshDatabase, startDatabaseServer } from '@tollgate/testing/database';
import { type KafkaServer, startKafka } from '@tollgate/testing/kafka';
import { newRunFolder } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { inheritedEnvironment, PROJECT } from '../gateway.js';

const DEADLINE_MS = 60_000;
const STOP_STEPS = [{ signal: 'SIGTERM', waitMs: 15_000 }] as const;
const PARTITIONS = 12;
export const TOPIC = 'usage-events';

/** A service of ours as it is built. Started again, it goes on with what its last run left behind. */
export interface Part {
  start(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** What its metrics tell now: the sum over the lines that begin so. Rejects while it is away. */
  metric(start: string): Promise<number>;
  /** kill -9, waited for. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** How often it has said this since it was started last. */
  said(text: string): Promise<number>;
}

export interface Pipeline {
  collector: Part;
  /** As grpc-js spells it. */
  collectorAddress: string;
  writers: readonly Part[];
  kafka: KafkaServer;
  database: DatabaseServer;
  /** Answers again after the server was started anew. */
  sql<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  makeTopic(): Promise<void>;
  deleteTopic(): Promise<void>;
  /** Puts values into the topic as they are, past the collector; those with one key into one partition, in their order. */
  produceRaw(values: readonly { key?: string | null; value: Buffer }[]): Promise<void>;
  /** By partition: the offset behind the last value that the topic holds. */
  ends(): Promise<ReadonlyMap<number, bigint>>;
  /** Resolves when the collector, which must run, keeps nothing on disk, and what the topic holds is stored. */
  drained(deadlineMs: number): Promise<void>;
  close(): Promise<void>;
}

export interface PipelineOptions {
  writers: number;
  /** One broker unless told; topics have a copy on each. */
  kafka?: () => Promise<KafkaServer>;
  /** The name of a mutation in mutate-sql.mjs that every writer runs with. */
  mutant?: string;
  /** Programs of dist/ that are run in the place of the service's own. */
  programs?: { collector?: string; writer?: string };
}

export async function startPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { writers, mutant, programs, kafka: startBrokers = startKafka } = options;
  await promisify(execFile)(process.execPath, [join(PROJECT, 'scripts', 'build.mjs')], { cwd: PROJECT });
  const { folder, runFolder } = await newRunFolder('exactly-once');
  const [kafka, database] = await Promise.all([startBrokers(), startDatabaseServer()]);
  const { url } = await freshDatabase({ serverUrl: database.url });
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  pool.on('error', () => {});
  const socket = join(runFolder, `${randomUUID().slice(0, 6)}.sock`);
  const settings = {
    ...inheritedEnvironment(),
    KAFKA_BROKERS: kafka.brokers.join(','),
    KAFKA_TIMEOUT: '2s',
    KAFKA_BATCH_TIME: '50ms',
    ADMIN_LISTEN: '127.0.0.1:0',
    LOG_LEVEL: 'warn',
    DATABASE_URL: url,
  };
  const part = (program: string, name: string, more: Record<string, string>, preload: readonly string[] = []): Part =>
    makePart({ program, name, folder, runFolder, env: { ...settings, DATA_DIR: join(folder, name), ...more }, preload });
  const preload = mutant === undefined ? [] : ['--import', join(PROJECT, 'e2e', 'exactly-once', 'mutate-sql.mjs')];
  const collector = part(programs?.collector ?? 'collector', 'collector', { COLLECTOR_LISTEN: `unix:${socket}` });
  const all = Array.from({ length: writers }, (_, index) =>
    part(programs?.writer ?? 'writer', `writer-${index}`, mutant === undefined ? {} : { MUTANT: mutant }, preload),
  );
  const client = new Kafka({ brokers: [...kafka.brokers], clientId: 'test', logLevel: logLevel.NOTHING });
  const producer = client.producer({ allowAutoTopicCreation: false });
  let connected: Promise<void> | undefined;
  const sql = sqlOf(pool);
  return {
    collector,
    collectorAddress: `unix:${socket}`,
    writers: all,
    kafka,
    database,
    sql,
    makeTopic: async () => {
      const topicSettings = { partitions: PARTITIONS, replicationFactor: kafka.brokers.length, retentionMs: 86_400_000 };
      const connection = { brokers: kafka.brokers };
      const topics = [TOPIC, `${TOPIC}-dead-letter`];
      await until(async () => (await createKafkaTopics(connection, topics, topicSettings)) && true, DEADLINE_MS, 'the topics');
    },
    deleteTopic: () => withAdmin(client, (admin) => admin.deleteTopics({ topics: [TOPIC], timeout: 10_000 })),
    produceRaw: async (values) => {
      connected ??= producer.connect();
      await connected;
      await producer.send({ topic: TOPIC, acks: -1, messages: [...values] });
    },
    ends: () => endsOf(client),
    drained: async (deadlineMs) => {
      const isEmpty = async () => (await collector.metric('tollgate_usage_spool_bytes{')) === 0;
      await until(isEmpty, deadlineMs, 'an empty spool');
      await until(() => isDrained(client, sql), deadlineMs, 'storing all that the topic holds');
    },
    close: async () => {
      await Promise.all([collector, ...all].map((each) => each.kill()));
      await producer.disconnect();
      await pool.end();
      await Promise.all([kafka.close(), database.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface PartOptions {
  program: string;
  name: string;
  folder: string;
  runFolder: string;
  env: Record<string, string>;
  preload: readonly string[];
}

function makePart({ program, name, folder, runFolder, env, preload }: PartOptions): Part {
  let running: BackgroundProcess | undefined;
  let starts = 0;
  let adminAddress = '';
  let logFile = '';
  return {
    async start() {
      await mkdir(join(folder, name), { recursive: true });
      logFile = join(folder, `${name}-${starts++}.log`);
      const started = await startBackgroundProcess({
        command: process.execPath,
        args: [...preload, join(PROJECT, 'dist', `${program}.js`)],
        env: { ...env, LOG_LEVEL: 'info' },
        logFile,
        hasOwnGroup: true,
        record: { folder: runFolder, name },
      });
      running = started;
      const readyLine = async () =>
        /^.*"msg":"ready".*$/m.exec(await readFile(logFile, 'utf8'))?.[0] ?? (started.isRunning() ? undefined : 'ended');
      const line = await until(readyLine, DEADLINE_MS, `the start of ${name}`);
      if (line !== 'ended') adminAddress = (JSON.parse(line) as { admin_address: string }).admin_address;
      else {
        throw new Error(`${name} did not start:\n${await started.lastLines()}`);
      }
    },
    signal: (signal) => running?.signal(signal),
    async metric(start) {
      const page = await (await fetch(`http://${adminAddress}/metrics`)).text();
      return page
        .split('\n')
        .filter((line) => line.startsWith(start))
        .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    },
    async kill() {
      running?.signal('SIGKILL');
      await running?.exited;
    },
    async stop() {
      if (running !== undefined) await stopInSteps(running, STOP_STEPS);
    },
    said: async (text) => (await readFile(logFile, 'utf8')).split(text).length - 1,
  };
}

/** A server that was killed takes its connections along: the first question after it may find a dead one. */
function sqlOf(pool: pg.Pool): Pipeline['sql'] {
  return async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
    until(async () => [(await pool.query<Row>(text, values)).rows] as const, DEADLINE_MS, text).then(([rows]) => rows);
}

async function isDrained(client: Kafka, sql: Pipeline['sql']): Promise<boolean> {
  const ends = await endsOf(client);
  // Of the log that is read now: the offsets of one that was deleted stay.
  const stored = await sql<{ partition: number; next_offset: string }>(
    `SELECT partition, next_offset FROM consumer_offsets
     WHERE topic = $1 AND log_id = (SELECT log_id FROM consumer_offsets WHERE topic = $1 ORDER BY updated_at DESC LIMIT 1)`,
    [TOPIC],
  );
  const places = new Map(stored.map(({ partition, next_offset }) => [partition, BigInt(next_offset)]));
  return [...ends].every(([partition, end]) => end === (places.get(partition) ?? 0n));
}

async function endsOf(client: Kafka): Promise<ReadonlyMap<number, bigint>> {
  const ends = await withAdmin(client, (admin) => admin.fetchTopicOffsets(TOPIC));
  return new Map(ends.map(({ partition, high }) => [partition, BigInt(high)]));
}

async function withAdmin<T>(client: Kafka, work: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
  const admin = client.admin({ retry: { retries: 3 } });
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}
