import type { UsageEvent } from '@tollgate/domain/usage-event';
import { StreamAccessLogsMessage, StreamAccessLogsResponse } from '@tollgate/protos/envoy/service/accesslog/v3/als';
import { clientStreamMethod, GRPC_STATUS, GrpcError, type GrpcMethod } from '@tollgate/service-kit/grpc';
import { type UsageEventSettings, usageEventFrom } from '../../usage-event.js';
import type { Stage } from '../metrics.js';
import { endedRequestFrom } from './ended-request.js';

/** What becomes of entries, by the names that the metric has for them. */

export interface AccessLogOptions {
  settings: UsageEventSettings;
  /** Resolves when the events are in the event log, however long that takes: meanwhile the stream is not read on. */
  append(events: readonly UsageEvent[]): Promise<void>;
  count(stage: Stage, events: number): void;
}

const PATH = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';

/**
 * Takes in Envoy's access log. Envoy gets no acknowledgement of an entry; it holds entries back only while the stream
 * is not read, so each message is in the event log before the next one is taken.
 */
export function accessLogMethod(options: AccessLogOptions): GrpcMethod {
  return clientStreamMethod(
    PATH,
    (bytes) => StreamAccessLogsMessage.decode(bytes),
    async (messages) => {
      let nodeId: string | undefined;
      for await (const message of messages) {
        // Only the first message of a stream carries it.
        nodeId ??= message.identifier?.node?.id;
        await takeIn(message, nodeId, options);
      }
      return StreamAccessLogsResponse.encode({}).finish();
    },
  );
}

async function takeIn(message: StreamAccessLogsMessage, nodeId: string | undefined, options: AccessLogOptions): Promise<void> {
  const entries = message.logEntries?.value.logEntry ?? [];
  options.count('received', entries.length);
  if (!nodeId) {
    // It is part of every event's id: two nodes without one could make the same id and lose each other's events.
    options.count('refused', entries.length);
    throw new GrpcError(GRPC_STATUS.INVALID_ARGUMENT, 'The first message of a stream must name its node (identifier.node.id).');
  }
  const events = entries.flatMap((entry) => {
    const request = endedRequestFrom(entry, nodeId);
    if (request === undefined) {
      options.count('not_usage', 1);
      return [];
    }
    return eventOf(usageEventFrom(request, options.settings), options);
  });
  if (events.length === 0) return;
  await options.append(events);
  options.count('produced', events.length);
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
