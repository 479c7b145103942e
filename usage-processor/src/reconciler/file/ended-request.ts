import { AUTHZ_NAMESPACE, type EndedRequest, LIMITER_NAMESPACE, UNITS_NAMESPACE } from '../../usage-event.js';

/** Those that the gRPC access log has a name for; every other is OTHER in both. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']);
/** After an answer had begun: a caller who left (DC, DR) is not among these. */
const UPSTREAM_CUTS = new Set(['UPE', 'UT', 'UR', 'UC', 'UMSDR']);
const SWITCHING_PROTOCOLS = 101;

/**
 * Reads a line of Envoy's file log as `packages/envoy-config` lays it out; undefined where it is none. It says the same as
 * the entry on the gRPC stream, whose adapter is `collector/grpc/ended-request.ts`: change both together.
 */
export function endedRequestFrom(line: string, nodeId: string): EndedRequest | undefined {
  const fields = fieldsOf(line);
  if (fields === undefined) return undefined;
  const { first_byte_ms: firstByteMs, status_code: status } = fields;
  const statusCode = numberOf(status);
  const upstreamAnswered = typeof firstByteMs === 'number';
  return {
    nodeId,
    streamId: textOf(fields['stream_id']),
    startMicros: microsOf(fields['start_time']),
    metadata: metadataOf(fields),
    method: METHODS.has(textOf(fields['method'])) ? textOf(fields['method']) : 'OTHER',
    path: textOf(fields['path']),
    route: textOf(fields['route']),
    requestId: textOf(fields['request_id']),
    statusCode,
    upstreamAnswered,
    cutByUpstream: upstreamAnswered && statusCode !== SWITCHING_PROTOCOLS && hasCut(textOf(fields['flags'])),
    grpcStatus: grpcStatusOf(fields),
    responseTimeMs: responseTimeOf(fields),
    requestBytes: numberOf(fields['request_bytes']),
    responseBytes: numberOf(fields['response_bytes']),
  };
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * A log that was cut within a line goes on in the same line. No value is an object and quotes within values are escaped, so
 * that the last `{"` is where the whole one begins.
 */
function fieldsOf(line: string): Fields | undefined {
  const whole = parsed(line);
  if (whole !== undefined) return whole;
  const begin = line.lastIndexOf('{"');
  return begin > 0 ? parsed(line.slice(begin)) : undefined;
}

function parsed(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'stream_id' in value ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function metadataOf(fields: Fields): EndedRequest['metadata'] {
  return {
    [AUTHZ_NAMESPACE]: present({
      organization_id: fields['organization_id'],
      key_id: fields['key_id'],
      environment: fields['environment'],
    }),
    [LIMITER_NAMESPACE]: present({ decision: fields['decision'], limit: fields['limit'] }),
    [UNITS_NAMESPACE]: present({ units: fields['units'] }),
  };
}

/** What Envoy does not know it writes as null. */
function present(values: Fields): Fields {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined));
}

function hasCut(flags: string): boolean {
  return flags.split(',').some((flag) => UPSTREAM_CUTS.has(flag));
}

function grpcStatusOf(fields: Fields): number | undefined {
  if (!textOf(fields['content_type']).startsWith('application/grpc')) return undefined;
  const status = fields['grpc_status'] ?? fields['grpc_status_header'];
  return typeof status === 'string' && /^\d{1,3}$/.test(status) ? Number(status) : undefined;
}

function responseTimeOf({ sent_ns: sentNs, duration_ms: durationMs }: Fields): number {
  return typeof sentNs === 'number' ? Math.round(sentNs / 1000) / 1000 : numberOf(durationMs);
}

/** `1795427988.123456` → microseconds. */
function microsOf(time: unknown): bigint | undefined {
  const [, seconds, micros] = /^(\d{1,12})\.(\d{6})$/.exec(textOf(time)) ?? [];
  return seconds === undefined || micros === undefined ? undefined : BigInt(seconds + micros);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
