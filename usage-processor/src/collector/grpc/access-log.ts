import type { UsageEvent } from '@tollgate/domain/usage-event';
import { StreamAccessLogsMessage, StreamAccessLogsResponse } from '@tollgate/protos/envoy/service/accesslog/v3/als';
import { clientStreamMethod, GRPC_STATUS, GrpcError, type GrpcMethod } from '@tollgate/service-kit/grpc';
import { type UsageEventSettings, usageEventFrom } from '../../usage-event.js';
import type { Stage } from '../metrics.js';
import { endedRequestFrom } from './ended-request.js';

export interface AccessLogOptions {
  settings: UsageEventSettings;
  /** Resolves when the events are in the event log, however long that takes. Called again meanwhile, and keeps the order. */
  append(events: readonly UsageEvent[]): Promise<void>;
  count(stage: Stage, events: number): void;
}

const PATH = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';

/** So many of a stream may wait for the event log, which takes many at once better than few. */
const MAX_WAITING_EVENTS = 1000;

/**
 * Takes in Envoy's access log. Envoy gets no acknowledgement of an entry; it holds entries back only while the stream
 * is not read, so a stream is read on only while few of its events are not in the event log yet.
 */
export function accessLogMethod(options: AccessLogOptions): GrpcMethod {
  return clientStreamMethod(
    PATH,
    (bytes) => StreamAccessLogsMessage.decode(bytes),
    async (messages) => {
      let nodeId: string | undefined;
      const waiting = createWaiting();
      for await (const message of messages) {
        // Only the first message of a stream carries it.
        nodeId ??= message.identifier?.node?.id;
        const events = eventsIn(message, nodeId, options);
        if (events.length > 0) waiting.add(events.length, options.append(events));
        await waiting.fewerThan(MAX_WAITING_EVENTS);
      }
      await waiting.fewerThan(1);
      return StreamAccessLogsResponse.encode({}).finish();
    },
  );
}

/** Events under way to the event log. The first failure is thrown to whoever waits. */
function createWaiting() {
  const appends: { count: number; appended: Promise<void> }[] = [];
  let sum = 0;
  return {
    add: (count: number, appended: Promise<void>) => {
      // Waited for later, which must not look like a rejection that nobody handles.
      appended.catch(() => {});
      appends.push({ count, appended });
      sum += count;
    },
    fewerThan: async (limit: number): Promise<void> => {
      for (let oldest = appends[0]; oldest !== undefined && sum >= limit; oldest = appends[0]) {
        await oldest.appended;
        appends.shift();
        sum -= oldest.count;
      }
    },
  };
}

function eventsIn(message: StreamAccessLogsMessage, nodeId: string | undefined, options: AccessLogOptions): UsageEvent[] {
  const entries = message.logEntries?.value.logEntry ?? [];
  options.count('received', entries.length);
  if (!nodeId) {
    // It is part of every event's id: two nodes without one could make the same id and lose each other's events.
    options.count('refused', entries.length);
    throw new GrpcError(GRPC_STATUS.INVALID_ARGUMENT, 'The first message of a stream must name its node (identifier.node.id).');
  }
  return entries.flatMap((entry) => {
    const request = endedRequestFrom(entry, nodeId);
    if (request === undefined) {
      options.count('not_usage', 1);
      return [];
    }
    return eventOf(usageEventFrom(request, options.settings), options);
  });
}

function eventOf(outcome: ReturnType<typeof usageEventFrom>, { count }: AccessLogOptions): UsageEvent[] {
  switch (outcome.kind) {
    case 'event':
      if (outcome.hasBadUnits) count('bad_units', 1);
      if (outcome.isUnlimited) count('unlimited', 1);
      return [outcome.event];
    case 'not-usage':
      count('not_usage', 1);
      return [];
    case 'refused':
      count('refused', 1);
      return [];
  }
}
