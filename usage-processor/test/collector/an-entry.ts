import {
  AccessLogCommon,
  AccessLogType,
  type HTTPAccessLogEntry,
  ResponseFlags,
} from '@tollgate/protos/envoy/data/accesslog/v3/accesslog';
import { StreamAccessLogsMessage } from '@tollgate/protos/envoy/service/accesslog/v3/als';
import { identity } from '../an-ended-request.js';

/** What protobuf makes of no bytes: every field at its default. */
const emptyCommon = () => AccessLogCommon.decode(new Uint8Array());

export interface EntryChanges {
  streamId?: string;
  startSeconds?: number;
  status?: number;
  flags?: Partial<ResponseFlags>;
  answered?: boolean;
  metadata?: Record<string, Record<string, unknown>>;
  type?: AccessLogType;
  requestHeaders?: Record<string, string>;
  responseHeaders?: Record<string, string>;
  responseTrailers?: Record<string, string>;
  path?: string;
}

/** As Envoy tells of a request that an upstream answered with 200. */
export function anEntry(changes: EntryChanges = {}): HTTPAccessLogEntry {
  const { startSeconds = 1_795_427_988, status = 200, answered = true } = changes;
  return {
    commonProperties: {
      ...emptyCommon(),
      streamId: changes.streamId ?? '3d0a3b2e-5d3f-4f5e-9a51-2f1f4d7e8a10',
      startTime: { seconds: startSeconds, nanos: 123_456_000 },
      timeToFirstUpstreamRxByte: answered ? { seconds: 0, nanos: 9_000_000 } : undefined,
      timeToLastDownstreamTxByte: { seconds: 1, nanos: 12_345_678 },
      responseFlags: { ...ResponseFlags.decode(new Uint8Array()), ...changes.flags },
      metadata: {
        filterMetadata: changes.metadata ?? { ...identity(), 'envoy.filters.http.ratelimit': { decision: 'allowed' } },
      },
      routeName: 'orders',
      accessLogType: changes.type ?? AccessLogType.DownstreamEnd,
    },
    request: {
      requestMethod: 3,
      path: changes.path ?? '/v1/orders?secret=1',
      requestId: changes.streamId ?? '3d0a3b2e-5d3f-4f5e-9a51-2f1f4d7e8a10',
      requestBodyBytes: 10,
      requestHeaders: changes.requestHeaders ?? {},
    },
    response: {
      responseCode: status,
      responseBodyBytes: 512,
      responseHeaders: changes.responseHeaders ?? {},
      responseTrailers: changes.responseTrailers ?? {},
      responseCodeDetails: 'via_upstream',
    },
  };
}

/** One message of a stream; only the first one names the node. */
export function aMessage(entries: HTTPAccessLogEntry[], nodeId?: string): Buffer {
  const message: StreamAccessLogsMessage = {
    identifier: nodeId === undefined ? undefined : { node: { id: nodeId }, logName: 'usage' },
    logEntries: { $case: 'httpLogs', value: { logEntry: entries } },
  };
  return Buffer.from(StreamAccessLogsMessage.encode(message).finish());
}
