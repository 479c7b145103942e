import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { EventLogWriter } from '@tollgate/event-log/event-log';
import { openFileEventLogWriter } from '@tollgate/event-log/file/file-event-log-writer';
import { startAdminServer } from '@tollgate/service-kit/admin-server';
import { startGrpcServer } from '@tollgate/service-kit/grpc-server';
import { grpcServing } from '@tollgate/service-kit/grpc-settings';
import { createLogger, type Logger } from '@tollgate/service-kit/log';
import { createMetrics, type Metrics } from '@tollgate/service-kit/metrics';
import { VERSION } from '@tollgate/service-kit/version';
import { AUTHZ_NAMESPACE } from '../usage-event.js';
import { appendUntilDone } from './append-until-done.js';
import type { CollectorConfig } from './config.js';
import { accessLogMethod } from './grpc/access-log.js';
import { createCollectorMetrics } from './metrics.js';

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
/** More than one once something before authorization can tell the identity too. */
const IDENTITY_NAMESPACES = [AUTHZ_NAMESPACE];

/** Starts the collector of usage events: Envoy's access log comes in, the event log goes on. */
export async function startCollector(config: CollectorConfig, overrides: CollectorOverrides = {}): Promise<RunningCollector> {
  const log = overrides.log ?? createLogger({ service: 'collector', level: config.logLevel });
  const metrics = overrides.metrics ?? createMetrics('collector');
  const eventLog = overrides.eventLog ?? (await openEventLog(config, log));
  const closeEventLog = async () => {
    if (overrides.eventLog === undefined) await eventLog.close();
  };
  try {
    return await startServers(config, log, metrics, eventLog, closeEventLog);
  } catch (error) {
    await closeEventLog();
    throw error;
  }
}

function openEventLog(config: CollectorConfig, log: Logger): Promise<EventLogWriter> {
  return openFileEventLogWriter({
    folder: join(config.dataDir, 'events'),
    onProblem: (problem, err) => log.error({ err }, `event log: ${problem}`),
  });
}

async function startServers(
  config: CollectorConfig,
  log: Logger,
  metrics: Metrics,
  eventLog: EventLogWriter,
  closeEventLog: () => Promise<void>,
): Promise<RunningCollector> {
  const counters = createCollectorMetrics(metrics);
  const appending = createAppending(eventLog, log, counters.appendFailed);
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
    components: async () => {
      const problem = appending.problem();
      return { event_log: problem === undefined ? { status: 'ok' } : { status: 'down', detail: problem } };
    },
    isReady: () => !isClosing && appending.problem() === undefined,
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
      await appending.finish();
      await closeEventLog();
      await admin.close();
    },
  };
}

/** Appends that go on until they succeed, and can be waited for: a stream that is cut does not cut its last append. */
function createAppending(eventLog: EventLogWriter, log: Logger, onFailure: () => void) {
  const closing = new AbortController();
  const underWay = new Set<Promise<void>>();
  let problem: string | undefined;
  const appendOn = appendUntilDone({
    append: async (events) => {
      await eventLog.append(events);
      problem = undefined;
    },
    pause: (ms) => pause(ms, undefined, { signal: closing.signal }).catch(() => {}),
    isClosing: () => closing.signal.aborted,
    onFailure: (err, pauseMs) => {
      onFailure();
      problem = err instanceof Error ? err.message : String(err);
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
