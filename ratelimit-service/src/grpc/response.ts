import { errorBody } from '@tollgate/domain/error-code';
import type { Window } from '@tollgate/limit-store/applied-limits';
import { type Decision, LIMIT_ERROR, type Trip, type WindowState } from '@tollgate/limit-store/decide';
import {
  RateLimitResponse_Code as Code,
  RateLimitResponse,
  RateLimitResponse_RateLimit_Unit as Unit,
} from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { headerBytes, headerName } from './header-bytes.js';
import { type HeaderForm, limitHeaders } from './limit-headers.js';
import { DEGRADED, limitedDetails, limitedHeaders, MAX_UINT32 } from './over-limit.js';

type LimitDecision = Exclude<Decision, { kind: 'unlimited' }>;

const UNIT: Record<Window, Unit> = { minute: Unit.MINUTE, day: Unit.DAY, month: Unit.MONTH };

const SHADOW = headerName('X-RateLimit-Shadow');

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
const METADATA = {
  allowed: metadataBytes({ decision: 'allowed' }),
  unlimited: metadataBytes({ decision: 'unlimited' }),
  limited: metadataOfTrips('limited'),
  shadow: metadataOfTrips('shadow'),
};

/** "Pass": nothing here is limited. One status for each descriptor. */
export function unlimitedResponse(descriptors: number): Uint8Array {
  const statuses = Array.from({ length: descriptors }, () => ({ code: Code.OK, limitRemaining: 0 }));
  return encoded({ ...EMPTY, overallCode: Code.OK, statuses }, METADATA.unlimited);
}

/** What Envoy is told about a request that was counted or refused, encoded. `requestId` is for the caller's message only. */
export function limitResponse(
  decision: LimitDecision,
  requestId: string | null,
  now: Date,
  form: HeaderForm = 'x-ratelimit',
): Uint8Array {
  const code = decision.kind === 'limited' ? Code.OVER_LIMIT : Code.OK;
  const message: RateLimitResponse = { ...EMPTY, overallCode: code, statuses: [statusOf(code, decision.windows, now)] };
  const headers = limitHeaders(form, decision.windows, now);
  if (decision.isDegraded) headers.push(DEGRADED);
  if (decision.kind === 'shadow') headers.push([SHADOW, decision.trip.window]);
  if (decision.kind === 'limited') {
    const { trip } = decision;
    headers.push(...limitedHeaders(trip));
    message.rawBody = Buffer.from(JSON.stringify(errorBody(LIMIT_ERROR[trip.window], requestId, now, detailsOf(trip))));
  }
  const metadata = decision.kind === 'allowed' ? METADATA.allowed : METADATA[decision.kind][decision.trip.window];
  return encoded(message, headerBytes(headers), metadata);
}

/** `rest` are fields that were encoded apart: their bytes follow those of the message. */
function encoded(message: RateLimitResponse, ...rest: Uint8Array[]): Uint8Array {
  return Buffer.concat([RateLimitResponse.encode(message).finish(), ...rest]);
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
    currentLimit: {
      requestsPerUnit: Math.min(tightest.limit, MAX_UINT32),
      unit: UNIT[tightest.window],
      name: tightest.window,
    },
    limitRemaining: Math.min(tightest.remaining, MAX_UINT32),
    durationUntilReset: { seconds: Math.max(0, tightest.resetAt - Math.floor(now.getTime() / 1000)), nanos: 0 },
  };
}

function detailsOf(trip: Trip): Record<string, unknown> {
  return limitedDetails({ limit_type: trip.window, limit: trip.limit }, trip);
}

function metadataOfTrips(decision: 'limited' | 'shadow'): Record<Window, Uint8Array> {
  const of = (limit: Window): Uint8Array => metadataBytes({ decision, limit });
  return { minute: of('minute'), day: of('day'), month: of('month') };
}

/** What the usage stream reads: `limit` is the one that denied, or in shadow would have. */
function metadataBytes(dynamicMetadata: { decision: Decision['kind']; limit?: Window }): Uint8Array {
  return RateLimitResponse.encode({ ...EMPTY, dynamicMetadata }).finish();
}
