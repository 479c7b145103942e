import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { EventLogWriter } from '@tollgate/event-log/event-log';
import { openFileEventLogWriter } from '@tollgate/event-log/file/file-event-log-writer';
import { openSpoolingEventLogWriter, type SpoolDepth } from '@tollgate/event-log/spooling-event-log-writer';
import { type Components, startAdminServer } from '@tollgate/service-kit/admin-server';
import { startGrpcServer } from '@tollgate/service-kit/grpc-server';
import { grpcServing } from '@tollgate/service-kit/grpc-settings';
import { createLogger, type Logger } from '@tollgate/service-kit/log';
import { createMetrics, type Metrics } from '@tollgate/service-kit/metrics';
import { VERSION } from '@tollgate/service-kit/version';
import { AUTHZ_NAMESPACE } from '../usage-event.js';
import { appendUntilDone } from './append-until-done.js';
import type { CollectorConfig } from './config.js';
import { accessLogMethod } from './grpc/access-log.js';
import { createCollectorMetrics, type Stage } from './metrics.js';

/** What a caller brings along instead of what is made here. An event log that it brings, it closes. */
export interface CollectorOverrides {
  eventLog?: EventLogWriter;
  log?: Logger;
  metrics?: Metrics;
}

export interface RunningCollector {
  address: string;
  /** As settings spell it, with the port that was picked. */
  adminAddress: string;
  /** Takes no new stream, lets the open ones end, has everything that came in the event log, and lets go of it. */
  close(): Promise<void>;
}

/** Envoy sends all that it held back (its buffer of 4 MiB and an entry) as one message, and drops it where that is refused. */
const MAX_MESSAGE_BYTES = 2 * (4 << 20);
/** Envoy's streams end by themselves only when Envoy does. */
const CLOSE_GRACE_MS = 3000;
/** For one more try of what was refused. */
const FINISH_MS = 1000;
/** More than one once something before authorization can tell the identity too. */
const IDENTITY_NAMESPACES = [AUTHZ_NAMESPACE];

/** From this share of the spool on, others should get what comes. */
const NEARLY_FULL = 0.9;
const NO_SPOOL: SpoolDepth = { bytes: 0, events: 0, share: 0, reason: undefined };

/** Where events go, and what waits on disk for it. */
interface Destination extends EventLogWriter {
  depth(): SpoolDepth;
}

/** Starts the collector of usage events: Envoy's access log comes in, the event log goes on. */
export async function startCollector(config: CollectorConfig, overrides: CollectorOverrides = {}): Promise<RunningCollector> {
  const log = overrides.log ?? createLogger({ service: 'collector', level: config.logLevel });
  const metrics = overrides.metrics ?? createMetrics('collector');
  let depth = () => NO_SPOOL;
  const counters = createCollectorMetrics(metrics, () => depth());
  const eventLog = await openEventLog(config, overrides, log, counters.count);
  depth = eventLog.depth;
  try {
    return await startServers(config, log, metrics, counters, eventLog);
  } catch (error) {
    await eventLog.close();
    throw error;
  }
}

async function openEventLog(
  config: CollectorConfig,
  { eventLog }: CollectorOverrides,
  log: Logger,
  count: (stage: Stage, events: number) => void,
): Promise<Destination> {
  const onProblem = (problem: string, err?: unknown) => log.error({ err }, `event log: ${problem}`);
  if (eventLog !== undefined) return countingProduced({ append: eventLog.append, close: async () => {} }, count);
  if (config.kafka === undefined) {
    return countingProduced(await openFileEventLogWriter({ folder: join(config.dataDir, 'events'), onProblem }), count);
  }
  // kafkajs is loaded only where there is a Kafka, as it makes a start longer.
  const { createKafkaEventLogWriter } = await import('@tollgate/event-log/kafka/kafka-event-log-writer');
  const { kafka: connection, kafkaTopic: topic, batchEvents, batchMs, kafkaTimeoutMs: deadlineMs } = config;
  const onTooLarge = (value: Buffer) => {
    count('too_large', 1);
    log.error({ bytes: value.length, event_id: eventIdIn(value) }, 'Kafka refused an event for its size, and it is lost');
  };
  return openSpoolingEventLogWriter({
    log: createKafkaEventLogWriter({ connection, topic, batchEvents, batchMs, deadlineMs, onTooLarge }),
    folder: join(config.dataDir, 'spool'),
    maxBytes: config.spoolBytes,
    count,
    onProblem,
  });
}

/** Undefined where the value is no event, which only a damaged spool could hold. */
function eventIdIn(value: Buffer): unknown {
  try {
    return (JSON.parse(value.toString('utf8')) as Partial<UsageEvent>).event_id;
  } catch {
    return undefined;
  }
}

function countingProduced(writer: EventLogWriter, count: (stage: Stage, events: number) => void): Destination {
  return {
    append: async (events) => {
      await writer.append(events);
      count('produced', events.length);
    },
    close: () => writer.close(),
    depth: () => NO_SPOOL,
  };
}

async function startServers(
  config: CollectorConfig,
  log: Logger,
  metrics: Metrics,
  counters: ReturnType<typeof createCollectorMetrics>,
  eventLog: Destination,
): Promise<RunningCollector> {
  const appending = createAppending(eventLog, log, {
    failed: counters.appendFailed,
    // Envoy should turn to another collector only when this one takes nothing more.
    isTaking: (isTaking) => grpc.setServing(isTaking),
  });
  const grpc = await startGrpcServer({
    ...grpcServing(config),
    listen: config.listen,
    methods: [
      accessLogMethod({
        settings: { path: config.path, identityNamespaces: IDENTITY_NAMESPACES },
        append: appending.append,
        count: counters.count,
      }),
    ],
    log,
    metrics,
    maxReceiveBytes: MAX_MESSAGE_BYTES,
  });
  let isClosing = false;
  const admin = await startAdminServer({
    listen: config.adminListen,
    metrics,
    version: VERSION,
    components: async () => componentsOf(appending.problem(), eventLog.depth()),
    isReady: () => !isClosing,
    log,
  }).catch(async (error: unknown) => {
    await grpc.close(0);
    throw error;
  });

  return {
    address: grpc.address,
    adminAddress: admin.address,
    close: async () => {
      isClosing = true;
      await grpc.close(CLOSE_GRACE_MS);
      const finished = appending.finish();
      await Promise.race([finished, pause(FINISH_MS)]);
      // Sends on what still waits, and puts on disk what Kafka does not take now.
      await eventLog.close();
      await finished;
      await admin.close();
    },
  };
}

function componentsOf(problem: string | undefined, { share, reason }: SpoolDepth): Components {
  if (problem !== undefined) return { event_log: { status: 'down', detail: problem } };
  if (reason === undefined) return { event_log: { status: 'ok' } };
  const detail = `events wait on disk (${Math.floor(share * 100)} % of SPOOL_MAX): ${reason}`;
  return { event_log: { status: share >= NEARLY_FULL ? 'down' : 'degraded', detail } };
}

/** Appends that go on until they succeed, and can be waited for: a stream that is cut does not cut its last append. */
function createAppending(
  eventLog: EventLogWriter,
  log: Logger,
  tell: { failed: () => void; isTaking: (isTaking: boolean) => void },
) {
  const closing = new AbortController();
  const underWay = new Set<Promise<void>>();
  let problem: string | undefined;
  const appendOn = appendUntilDone({
    append: async (events) => {
      await eventLog.append(events);
      if (problem === undefined) return;
      problem = undefined;
      tell.isTaking(true);
    },
    pause: (ms) => pause(ms, undefined, { signal: closing.signal }).catch(() => {}),
    isClosing: () => closing.signal.aborted,
    onFailure: (err, pauseMs) => {
      tell.failed();
      problem = err instanceof Error ? err.message : String(err);
      tell.isTaking(false);
      log.error({ err, pauseMs }, 'the event log refused events; they are kept and tried again');
    },
  });
  return {
    append: (events: readonly UsageEvent[]): Promise<void> => {
      const appended = appendOn(events).finally(() => underWay.delete(appended));
      underWay.add(appended);
      return appended;
    },
    problem: () => problem,
    /** One more try for each append that waits for a full log, and no further. */
    finish: async () => {
      closing.abort();
      await Promise.allSettled(underWay);
    },
  };
}
