import { RequestMethod } from '@tollgate/protos/envoy/config/core/v3/base';
import { type AccessLogCommon, AccessLogType, type HTTPAccessLogEntry } from '@tollgate/protos/envoy/data/accesslog/v3/accesslog';
import type { EndedRequest } from '../../usage-event.js';

const SWITCHING_PROTOCOLS = 101;

/** Reads Envoy's entry of one request; undefined where the entry does not mark the request's end (start, periodic). */
export function endedRequestFrom(entry: HTTPAccessLogEntry, nodeId: string): EndedRequest | undefined {
  const { commonProperties: common, request, response } = entry;
  const type = common?.accessLogType ?? AccessLogType.NotSet;
  if (type !== AccessLogType.DownstreamEnd && type !== AccessLogType.NotSet) return undefined;
  const statusCode = response?.responseCode ?? 0;
  return {
    nodeId,
    streamId: common?.streamId ?? '',
    startMicros: microsOf(common?.startTime),
    metadata: common?.metadata?.filterMetadata ?? {},
    // A method that Envoy's enum lacks arrives as METHOD_UNSPECIFIED.
    method: request?.requestMethod ? (RequestMethod[request.requestMethod] ?? 'OTHER') : 'OTHER',
    path: request?.path ?? '',
    route: common?.routeName ?? '',
    requestId: request?.requestId ?? '',
    statusCode,
    // The one sure sign: status code, flags and upstream address are each wrong somewhere.
    upstreamAnswered: common?.timeToFirstUpstreamRxByte !== undefined,
    cutByUpstream: statusCode !== SWITCHING_PROTOCOLS && wasCutByUpstream(common),
    grpcStatus: grpcStatusOf(entry),
    // To the microsecond, which is all that Envoy knows; where nothing was sent, to the millisecond, as its file log has it.
    responseTimeMs: common?.timeToLastDownstreamTxByte
      ? millisOf(common.timeToLastDownstreamTxByte)
      : Math.floor(millisOf(common?.duration)),
    requestBytes: request?.requestBodyBytes ?? 0,
    responseBytes: response?.responseBodyBytes ?? 0,
  };
}

/** After an answer had begun: a caller who left (DC, DR) is not among these, and a websocket may be ended by either side. */
function wasCutByUpstream(common: AccessLogCommon | undefined): boolean {
  const flags = common?.responseFlags;
  if (flags === undefined || common?.timeToFirstUpstreamRxByte === undefined) return false;
  return (
    flags.upstreamProtocolError ||
    flags.upstreamRequestTimeout ||
    flags.upstreamRemoteReset ||
    flags.upstreamConnectionTermination ||
    flags.upstreamMaxStreamDurationReached
  );
}

function grpcStatusOf({ request, response }: HTTPAccessLogEntry): number | undefined {
  if (!request?.requestHeaders['content-type']?.startsWith('application/grpc')) return undefined;
  const status = response?.responseTrailers['grpc-status'] ?? response?.responseHeaders['grpc-status'];
  return status !== undefined && /^\d{1,3}$/.test(status) ? Number(status) : undefined;
}

interface SecondsAndNanos {
  seconds: number;
  nanos: number;
}

function microsOf(time: SecondsAndNanos | undefined): bigint | undefined {
  if (time === undefined || time.nanos < 0 || time.nanos >= 1e9) return undefined;
  return BigInt(time.seconds) * 1_000_000n + BigInt(Math.floor(time.nanos / 1000));
}

function millisOf(duration: SecondsAndNanos | undefined): number {
  return duration === undefined ? 0 : Math.round(duration.seconds * 1e6 + duration.nanos / 1000) / 1000;
}
