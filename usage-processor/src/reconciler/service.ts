import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { EventLogWriter } from '@tollgate/event-log/event-log';
import { openFileEventLogWriter } from '@tollgate/event-log/file/file-event-log-writer';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { dropOldWitness, readWitnessedFiles, storedBetween } from '@tollgate/postgres/usage-witness';
import { startAdminServer } from '@tollgate/service-kit/admin-server';
import { createLogger, type Logger } from '@tollgate/service-kit/log';
import { createMetrics, type Metrics } from '@tollgate/service-kit/metrics';
import { VERSION } from '@tollgate/service-kit/version';
import { AUTHZ_NAMESPACE } from '../usage-event.js';
import { createCounterRounds } from './compare-counters.js';
import type { ReconcilerConfig } from './config.js';
import { entriesWritten, reopenLogs } from './envoy/admin.js';
import { endedRequestFrom } from './file/ended-request.js';
import { followLog } from './file/follow-log.js';
import { deleteOldLogs, type Rotation, rotateLog } from './file/rotate-log.js';
import { createReconcilerMetrics } from './metrics.js';
import { storedUsage } from './postgres/stored-usage.js';
import { type RepeatedWork, repeatWork } from './repeat-work.js';
import type { WitnessLog } from './witness-log.js';
import { createWitnessRounds, type WitnessState } from './witness-rounds.js';
import { witnessedLine } from './witnessed-line.js';

/** What a caller brings along instead of what is made here. An event log that it brings, it closes. */
export interface ReconcilerOverrides {
  eventLog?: EventLogWriter;
  log?: Logger;
  metrics?: Metrics;
}

export interface RunningReconciler {
  /** As settings spell it, with the port that was picked. */
  adminAddress: string;
  /** Ends what is under way. What was not kept as checked is read again by the next start. */
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 1000;
const LOOKS_A_GRACE = 5;
const COUNTERS_EVERY_GRACE = 6;
const CHORES_EVERY_MS = 3_600_000;
const DATABASE = { connectTimeoutMs: 2000, statementTimeoutMs: 60_000, applicationName: 'tollgate-reconciler' };

/** Starts the reconciler: what Envoy's file log holds and the database does not is given to the event log once more. */
export async function startReconciler(config: ReconcilerConfig, overrides: ReconcilerOverrides = {}): Promise<RunningReconciler> {
  const log = overrides.log ?? createLogger({ service: 'reconciler', level: config.logLevel });
  const metrics = overrides.metrics ?? createMetrics('reconciler');
  const database = openDatabase({
    ...DATABASE,
    url: config.databaseUrl,
    maxConnections: 2,
    onError: (err) => log.warn({ err }, 'a database connection broke'),
  });
  const eventLog = overrides.eventLog ?? (await openReplayLog(config, log));
  const close = async () => {
    if (overrides.eventLog === undefined) await eventLog.close();
    await database.close();
  };
  try {
    return await startWork(config, { log, metrics, database, eventLog, close });
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Where the collector's events go, but for its folder: a file log has one writing process, so this is another one, and the
 * writer reads both. While Kafka is away a minute waits: its lines stay in Envoy's file.
 */
async function openReplayLog(config: ReconcilerConfig, log: Logger): Promise<EventLogWriter> {
  const { kafka: connection, kafkaTopic: topic } = config;
  if (connection !== undefined) {
    const { createKafkaEventLogWriter } = await import('@tollgate/event-log/kafka/kafka-event-log-writer');
    // The event is found missing at the next look, and ends as a gap.
    const onTooLarge = (value: Buffer) => log.error({ bytes: value.length }, 'Kafka refused an event for its size');
    return createKafkaEventLogWriter({ connection, topic, onTooLarge });
  }
  return openFileEventLogWriter({
    folder: join(config.dataDir, 'replays'),
    onProblem: (problem, err) => log.error({ err }, `event log: ${problem}`),
  });
}

interface Parts {
  log: Logger;
  metrics: Metrics;
  database: Database;
  eventLog: EventLogWriter;
  close(): Promise<void>;
}

async function startWork(config: ReconcilerConfig, parts: Parts): Promise<RunningReconciler> {
  const { log, metrics } = parts;
  const closing = new AbortController();
  const state: WitnessState = { driftEvents: 0, checkedUntilMs: Date.now() };
  const counters = createReconcilerMetrics(
    metrics,
    () => (Date.now() - state.checkedUntilMs) / 1000,
    () => state.driftEvents,
  );
  const works: RepeatedWork[] = [];
  const repeat: Repeat = (what, everyMs, work) =>
    void works.push(
      repeatWork(work, { everyMs, signal: closing.signal, onFailure: (err) => log.warn({ err }, `not yet: ${what}`) }),
    );
  const admin = await startAdminServer({
    listen: config.adminListen,
    metrics,
    version: VERSION,
    components: async () => {
      const problem = works.map((work) => work.problem()).find((each) => each !== undefined);
      return { witness: problem === undefined ? { status: 'ok' } : { status: 'down', detail: problem } };
    },
    isReady: () => !closing.signal.aborted,
    log,
  });
  const { usageFile, envoyAdminUrl } = config;
  const witnessParts = { ...parts, counters, state, signal: closing.signal };
  if (usageFile !== undefined) witnessFile(config, usageFile, witnessParts, repeat);
  else if (envoyAdminUrl !== undefined) watchCounters(config, envoyAdminUrl, witnessParts, repeat);
  repeat('forgetting old minutes', CHORES_EVERY_MS, async () => void (await dropOldWitness(parts.database, new Date())));
  return {
    adminAddress: admin.address,
    close: async () => {
      closing.abort();
      await Promise.all(works.map((work) => work.ended));
      await admin.close();
      await parts.close();
    },
  };
}

type Repeat = (what: string, everyMs: number, work: () => Promise<void>) => void;

interface WitnessParts extends Parts {
  counters: ReturnType<typeof createReconcilerMetrics>;
  state: WitnessState;
  signal: AbortSignal;
}

function witnessFile(config: ReconcilerConfig, path: string, parts: WitnessParts, repeat: Repeat): void {
  const { counters, log, database, state } = parts;
  let follow: { file: WitnessLog; round: () => Promise<void> } | undefined;
  const onLost = (bytes: number) => {
    counters.lostBytes.inc(bytes);
    log.error({ bytes }, 'a file log was gone before it was checked: what only it held is lost');
  };
  repeat('comparing usage with the file log', LOOK_EVERY_MS, async () => {
    if (follow === undefined) {
      const file = followLog(path, await readWitnessedFiles(database, config.nodeId), onLost);
      const settings = { path: config.path, identityNamespaces: [AUTHZ_NAMESPACE] };
      const round = createWitnessRounds({
        file,
        stored: storedUsage(database, config.nodeId),
        readLine: (line) => witnessedLine(endedRequestFrom(line, config.nodeId), settings),
        append: (events) => parts.eventLog.append(events),
        pause: async () => void (await pause(config.graceMs / LOOKS_A_GRACE, undefined, { signal: parts.signal })),
        graceMs: config.graceMs,
        nowMs: Date.now,
        ...{ counters, state },
        onReplay: (minute, events) => log.warn({ minute, events }, 'usage was not stored; it is given to the event log again'),
      });
      follow = { file, round };
    }
    await follow.round();
  });
  if (config.envoyAdminUrl === undefined) return;
  const rotation = rotationOf(config, path, config.envoyAdminUrl, onLost);
  repeat('rotating the file log', LOOK_EVERY_MS, async () => {
    await rotateLog(rotation, new Date());
    if (follow !== undefined) await deleteOldLogs(follow.file, rotation, Date.now());
  });
}

function watchCounters(config: ReconcilerConfig, adminUrl: string, parts: WitnessParts, repeat: Repeat): void {
  const { database, counters, state, signal, log } = parts;
  const round = createCounterRounds({
    entriesWritten: () => entriesWritten(adminUrl),
    storedBetween: (fromMs, toMs) => storedBetween(database, config.nodeId, new Date(fromMs), new Date(toMs)),
    pause: async () => void (await pause(config.graceMs / LOOKS_A_GRACE, undefined, { signal })),
    onLoss: (events) => {
      counters.unreceived.inc(events);
      log.error({ events }, 'usage was lost on its way, and without a file log nobody can tell which');
    },
    nowMs: Date.now,
  });
  repeat("comparing usage with Envoy's counter", COUNTERS_EVERY_GRACE * config.graceMs, async () => {
    await round();
    state.checkedUntilMs = Date.now();
  });
}

function rotationOf(config: ReconcilerConfig, path: string, adminUrl: string, onLost: (bytes: number) => void): Rotation {
  return {
    path,
    maxBytes: config.maxFileBytes,
    keepMs: config.keepMs,
    maxTotalBytes: config.maxTotalBytes,
    reopenLogs: () => reopenLogs(adminUrl),
    onLost,
  };
}
