import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { EventLogReader } from '@tollgate/event-log/event-log';
import { createFileEventLogReader } from '@tollgate/event-log/file/file-event-log-reader';
import { joinReaders } from '@tollgate/event-log/join-readers';
import { recordKeyUse } from '@tollgate/postgres/api-keys';
import { pruneChanges } from '@tollgate/postgres/changes/read-changes';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { dropOldUsage, findOffset, storeUsage } from '@tollgate/postgres/usage-store';
import { startAdminServer } from '@tollgate/service-kit/admin-server';
import { withDeadline } from '@tollgate/service-kit/deadline';
import { createLogger, type Logger } from '@tollgate/service-kit/log';
import { createMetrics, type Metrics } from '@tollgate/service-kit/metrics';
import { VERSION } from '@tollgate/service-kit/version';
import type { WriterConfig } from './config.js';
import { createKeyActivity, type KeyActivity } from './key-activity.js';
import { startMaintenance } from './maintenance.js';
import { createWriterMetrics } from './metrics.js';
import { type DeadLetter, type JudgedBatch, storeBatch } from './store-batch.js';

/** What a caller brings along instead of what is made here. The reader is closed here all the same. */
export interface WriterOverrides {
  reader?: EventLogReader;
  log?: Logger;
  metrics?: Metrics;
}

export interface RunningWriter {
  /** As settings spell it, with the port that was picked. */
  adminAddress: string;
  /** Finishes the batch under way; with `drain` first stores what is in the log now, within eight seconds. */
  close(options?: { drain?: boolean }): Promise<void>;
}

/** Names the offset in the database. */
const GROUP = 'usage-writer';
const DRAIN_DEADLINE_MS = 8000;
const ACTIVITY_EVERY_MS = 5000;
const MAX_WAITING_COPIES_BYTES = 4 << 20;
const DATABASE = { connectTimeoutMs: 2000, statementTimeoutMs: 10_000, applicationName: 'tollgate-writer' };

/** Starts the writer: what is in the event log becomes rows. The database may come later than the writer. */
export async function startWriter(config: WriterConfig, overrides: WriterOverrides = {}): Promise<RunningWriter> {
  const log = overrides.log ?? createLogger({ service: 'writer', level: config.logLevel });
  const metrics = overrides.metrics ?? createMetrics('writer');
  const open = (url: string) =>
    openDatabase({ ...DATABASE, url, maxConnections: 2, onError: (err) => log.warn({ err }, 'a database connection broke') });
  const database = open(config.databaseUrl);
  const reader = overrides.reader ?? (await openReader(config, log));
  // Keys and changes stand beside the organizations, wherever usage goes.
  const mainDatabase = config.mainDatabaseUrl === undefined ? database : open(config.mainDatabaseUrl);
  const activity = createKeyActivity((lastUsed) => recordKeyUse(mainDatabase, lastUsed));
  const counters = createWriterMetrics(metrics, reader.lag);
  const copies = await openDeadLetterCopies(config, counters.countCopies);
  const storing = createStoring({ reader, database, activity, log, counters, copyDeadLetters: copies.copy });
  const admin = await startAdminServer({
    listen: config.adminListen,
    metrics,
    version: VERSION,
    components: async () => {
      const problem = storing.problem();
      return { usage: problem === undefined ? { status: 'ok' } : { status: 'down', detail: problem } };
    },
    isReady: () => true,
    log,
  }).catch(async (error: unknown) => {
    await database.close();
    throw error;
  });
  const running = storing.run();
  const flushActivity = () => activity.flush(Date.now()).catch((err: unknown) => log.warn({ err }, 'not yet: last use of keys'));
  const activityTimer = setInterval(flushActivity, ACTIVITY_EVERY_MS);
  const maintenance = startMaintenance(
    [
      { name: 'days of raw usage dropped', run: (nowMs) => dropOldUsage(database, new Date(nowMs)) },
      { name: 'old changes deleted', run: () => pruneChanges(mainDatabase) },
    ],
    {
      done: (chore, count) => count > 0 && log.info({ count }, chore),
      failed: (chore, err) => log.warn({ err }, `not yet: ${chore}; tried again in an hour`),
    },
  );

  return {
    adminAddress: admin.address,
    close: async ({ drain = false } = {}) => {
      if (drain) await drainLog(reader, log);
      await reader.close();
      await running;
      await copies.close();
      await maintenance.stop();
      clearInterval(activityTimer);
      await flushActivity();
      await admin.close();
      await database.close();
      if (mainDatabase !== database) await mainDatabase.close();
    },
  };
}

/** What the collector has, and what the reconciler gives it once more: a file log has one writing process, so these are two. */
async function openReader(config: WriterConfig, log: Logger): Promise<EventLogReader> {
  const onProblem = (problem: string, err: unknown) => log.warn({ err }, `event log: ${problem}`);
  const { kafka: connection, kafkaTopic: topic, batchEvents: maxBatch } = config;
  const folders = ['events', 'replays'].map((name) => join(config.dataDir, name));
  const fileReader = (folder: string) => createFileEventLogReader({ folder, group: GROUP, onProblem });
  if (connection === undefined) return joinReaders(folders.map(fileReader));
  const { createKafkaEventLogReader } = await import('@tollgate/event-log/kafka/kafka-event-log-reader');
  // Topics of several gateways may lie in one Kafka, and a group reads one topic. What files held before Kafka came is stored too.
  const kafka = createKafkaEventLogReader({ connection, topic, group: `${GROUP}.${topic}`, maxBatch, onProblem });
  return joinReaders([kafka, ...folders.filter((folder) => existsSync(folder)).map(fileReader)]);
}

/** Copies of dead letters, for whoever follows the topic; the table has them all, whether the copy succeeds or not. */
async function openDeadLetterCopies(config: WriterConfig, count: (outcome: 'copied' | 'lost', letters: number) => void) {
  if (config.kafka === undefined) return { copy: () => {}, close: async () => {} };
  const [{ createKafkaEventLogWriter }, { usageTopics }] = await Promise.all([
    import('@tollgate/event-log/kafka/kafka-event-log-writer'),
    import('@tollgate/event-log/kafka/kafka-topics'),
  ]);
  const [, topic] = usageTopics(config.kafkaTopic);
  const tooLarge = new WeakSet<Buffer>();
  const copies = createKafkaEventLogWriter({
    connection: config.kafka,
    topic,
    maxWaitingBytes: MAX_WAITING_COPIES_BYTES,
    // A letter may be as large as the topic of events lets it be.
    onTooLarge: (value) => tooLarge.add(value),
  });
  return {
    copy: (letters: readonly DeadLetter[]) => {
      if (letters.length === 0) return;
      copies.appendRaw(letters.map(({ value }) => value)).then(
        () => {
          const lost = letters.filter(({ value }) => tooLarge.has(value)).length;
          count('lost', lost);
          count('copied', letters.length - lost);
        },
        () => count('lost', letters.length),
      );
    },
    close: () => copies.close(),
  };
}

async function drainLog(reader: EventLogReader, log: Logger): Promise<void> {
  try {
    await withDeadline(reader.caughtUp(), DRAIN_DEADLINE_MS, 'storing what is in the event log');
  } catch (err) {
    log.warn({ err, waiting: reader.lag() }, 'not all of the event log is stored; the next start goes on there');
  }
}

/** Reads and stores until the reader is closed, and knows what is wrong at the moment. */
function createStoring(needs: {
  reader: EventLogReader;
  database: Database;
  activity: KeyActivity;
  log: Logger;
  counters: ReturnType<typeof createWriterMetrics>;
  copyDeadLetters: (letters: readonly DeadLetter[]) => void;
}) {
  const { reader, database, activity, log, counters } = needs;
  let problem: string | undefined;

  /** A rejection reaches the reader, which pauses and tries again. */
  const noted = async <T>(work: Promise<T>): Promise<T> => {
    try {
      const result = await work;
      problem = undefined;
      return result;
    } catch (error) {
      counters.retries.inc();
      problem = error instanceof Error ? error.message : String(error);
      throw error;
    }
  };

  const storeAndCopy = async (judged: JudgedBatch) => {
    const stored = await storeUsage(database, { group: GROUP, ...judged });
    needs.copyDeadLetters([...judged.deadLetters, ...stored.refused]);
    return stored;
  };

  const readAndStore = () =>
    reader.run(
      (logId, topic, partition) => noted(findOffset(database, { group: GROUP, logId, topic, partition })),
      (batch) =>
        noted(
          storeBatch(batch, Date.now(), {
            store: storeAndCopy,
            count: counters.count,
            saw: (events) => {
              activity.saw(events);
              counters.saw(events);
            },
          }),
        ),
    );

  return {
    problem: () => problem,
    /** Never rejects: a writer that had to stop says so by its health and metrics until somebody looks. */
    run: async () => {
      try {
        await readAndStore();
      } catch (err) {
        counters.stopped.inc();
        problem = err instanceof Error ? err.message : String(err);
        log.fatal({ err }, 'reading the event log has stopped: going on would lose events');
      }
    },
  };
}
