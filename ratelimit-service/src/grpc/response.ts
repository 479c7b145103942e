import { type ErrorCode, errorBody } from '@tollgate/domain/error-code';
import type { HeaderValue } from '@tollgate/protos/envoy/config/core/v3/base';
import {
  RateLimitResponse_Code as Code,
  RateLimitResponse,
  RateLimitResponse_RateLimit_Unit as Unit,
} from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import type { Decision, Trip, WindowState } from '../decide.js';
import type { Window } from '../limits.js';

const HEADER_ENDING: Record<Window, string> = { minute: 'Minute', day: 'Day', month: 'Month' };
const UNIT: Record<Window, Unit> = { minute: Unit.MINUTE, day: Unit.DAY, month: Unit.MONTH };
const LIMIT_ERROR: Record<Window, ErrorCode> = { minute: 'rate_limit_exceeded', day: 'quota_exceeded', month: 'quota_exceeded' };

const EMPTY: RateLimitResponse = {
  overallCode: Code.UNKNOWN,
  statuses: [],
  responseHeadersToAdd: [],
  requestHeadersToAdd: [],
  rawBody: Buffer.alloc(0),
  dynamicMetadata: undefined,
};

/**
 * The metadata of each kind of decision, encoded once: a protobuf message may be sent in pieces, so its bytes follow
 * those of the rest. Every answer carries it, so that a request without it is one that no limiter saw.
 */
const METADATA: Record<Decision['kind'], Uint8Array> = {
  allowed: metadataBytes('allowed'),
  limited: metadataBytes('limited'),
  unlimited: metadataBytes('unlimited'),
};

/** What Envoy is told about this decision, encoded. `requestId` is for the caller's message only. */
export function rateLimitResponse(decision: Decision, requestId: string | null, now: Date): Uint8Array {
  return Buffer.concat([RateLimitResponse.encode(messageOf(decision, requestId, now)).finish(), METADATA[decision.kind]]);
}

function messageOf(decision: Decision, requestId: string | null, now: Date): RateLimitResponse {
  switch (decision.kind) {
    case 'unlimited':
      return { ...EMPTY, overallCode: Code.OK, statuses: [{ code: Code.OK, limitRemaining: 0 }] };
    case 'allowed':
      return {
        ...EMPTY,
        overallCode: Code.OK,
        statuses: [statusOf(Code.OK, decision.windows, now)],
        responseHeadersToAdd: headersOf(decision),
      };
    case 'limited':
      return {
        ...EMPTY,
        overallCode: Code.OVER_LIMIT,
        statuses: [statusOf(Code.OVER_LIMIT, decision.windows, now)],
        responseHeadersToAdd: [...headersOf(decision), ...limitedHeaders(decision.trip)],
        rawBody: Buffer.from(
          JSON.stringify(errorBody(LIMIT_ERROR[decision.trip.window], requestId, now, detailsOf(decision.trip))),
        ),
      };
  }
}

/** The status that Envoy's peers read: the window with the least left. Durations are whole seconds, since Envoy cuts them. */
function statusOf(code: Code, windows: readonly WindowState[], now: Date): RateLimitResponse['statuses'][number] {
  const tightest = windows.reduce<WindowState | undefined>(
    (least, next) => (least && least.remaining <= next.remaining ? least : next),
    undefined,
  );
  if (tightest === undefined) return { code, limitRemaining: 0 };
  return {
    code,
    currentLimit: { requestsPerUnit: tightest.limit, unit: UNIT[tightest.window], name: tightest.window },
    limitRemaining: Math.min(tightest.remaining, 0xffffffff),
    durationUntilReset: { seconds: Math.max(0, tightest.resetAt - Math.floor(now.getTime() / 1000)), nanos: 0 },
  };
}

function headersOf({ windows, isDegraded }: { windows: readonly WindowState[]; isDegraded: boolean }): HeaderValue[] {
  const headers: HeaderValue[] = [];
  for (const { window, limit, remaining, resetAt } of windows) {
    const ending = HEADER_ENDING[window];
    headers.push(
      { key: `X-RateLimit-Limit-${ending}`, value: String(limit) },
      { key: `X-RateLimit-Remaining-${ending}`, value: String(remaining) },
      { key: `X-RateLimit-Reset-${ending}`, value: String(resetAt) },
    );
  }
  if (isDegraded) headers.push({ key: 'X-RateLimit-Degraded', value: 'true' });
  return headers;
}

function limitedHeaders(trip: Trip): HeaderValue[] {
  // Envoy replaces the body of an answer that names no content type.
  const headers = [{ key: 'content-type', value: 'application/json' }];
  if (trip.retryAfter !== undefined) headers.push({ key: 'Retry-After', value: String(trip.retryAfter) });
  return headers;
}

function detailsOf(trip: Trip): Record<string, unknown> {
  return {
    limit_type: trip.window,
    limit: trip.limit,
    remaining: trip.remaining,
    reset_at: new Date(trip.resetAt * 1000).toISOString().replace('.000Z', 'Z'),
    ...(trip.retryAfter === undefined ? {} : { retry_after: trip.retryAfter }),
  };
}

function metadataBytes(decision: Decision['kind']): Uint8Array {
  return RateLimitResponse.encode({ ...EMPTY, dynamicMetadata: { decision } }).finish();
}
