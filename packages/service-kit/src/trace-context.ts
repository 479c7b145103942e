import type { CallInfo } from './grpc.js';

/** Which span of which trace asked for a call. */
export interface TraceParent {
  /** 32 hexadecimal digits in lower case. */
  traceId: string;
  /** 16 of them. */
  spanId: string;
  /** Whether the asker records its part: who follows it does as it does. */
  isSampled: boolean;
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ONLY_ZEROS = /^0+$/;
const SAMPLED = 1;

/**
 * Reads a `traceparent` header (https://www.w3.org/TR/trace-context/#traceparent-header). Undefined for none and for one that is
 * malformed, which counts as none. Of versions to come it takes what is known today.
 */
export function parseTraceparent(header: string | undefined): TraceParent | undefined {
  if (header === undefined) return undefined;
  const [, version, traceId, spanId, flags, more] = FORM.exec(header) ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (ONLY_ZEROS.test(traceId) || ONLY_ZEROS.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

/** For log lines about a call, whether it is sampled or not; undefined where its asker traces nothing. */
export function traceIdOf(call: CallInfo): string | undefined {
  return parseTraceparent(call.header('traceparent'))?.traceId;
}
