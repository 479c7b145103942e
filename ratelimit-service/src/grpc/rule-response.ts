import type { DescriptorStatus, DescriptorTrip, RulesDecision } from '@tollgate/descriptor-limits/judge-descriptors';
import type { Unit } from '@tollgate/descriptor-limits/unit';
import { rateLimitedBody } from '@tollgate/domain/error-code';
import type { HeaderValue } from '@tollgate/protos/envoy/config/core/v3/base';
import {
  RateLimitResponse_Code as Code,
  RateLimitResponse,
  RateLimitResponse_RateLimit_Unit as UnitNumber,
} from '@tollgate/protos/envoy/service/ratelimit/v3/rls';

type WireStatus = RateLimitResponse['statuses'][number];

const MAX_UINT32 = 0xffffffff;
const UNIT: Record<Unit, UnitNumber> = {
  second: UnitNumber.SECOND,
  minute: UnitNumber.MINUTE,
  hour: UnitNumber.HOUR,
  day: UnitNumber.DAY,
  week: UnitNumber.WEEK,
  month: UnitNumber.MONTH,
  year: UnitNumber.YEAR,
};

/**
 * What Envoy is told about a call of a domain that has rules: one status a descriptor, as envoyproxy/ratelimit gives them, and
 * beyond it our body and Retry-After where the call is over, and the metadata that all our answers carry. There are no
 * X-RateLimit headers: names with one window in them do not fit any number of rules, and Envoy can make its own of the statuses.
 */
export function ruleResponse(decision: RulesDecision, requestId: string | null, now: Date): Uint8Array {
  const { kind, statuses, trip, isDegraded } = decision;
  const message: RateLimitResponse = {
    overallCode: kind === 'limited' ? Code.OVER_LIMIT : Code.OK,
    statuses: statuses.map(wireStatus),
    responseHeadersToAdd: trip === undefined ? [] : limitedHeaders(trip),
    requestHeadersToAdd: [],
    rawBody: Buffer.alloc(0),
    dynamicMetadata: { decision: kind },
  };
  if (isDegraded) message.responseHeadersToAdd.push({ key: 'X-RateLimit-Degraded', value: 'true' });
  if (trip !== undefined)
    message.rawBody = Buffer.from(JSON.stringify(rateLimitedBody(trip.limit.unit, requestId, now, detailsOf(trip))));
  return RateLimitResponse.encode(message).finish();
}

function wireStatus(status: DescriptorStatus): WireStatus {
  if (status.kind === 'none') return { code: Code.OK, limitRemaining: 0 };
  if (status.kind === 'unlimited') return { code: Code.OK, limitRemaining: MAX_UINT32 };
  const { isOver, limit, name, remaining, resetSeconds } = status;
  return {
    code: isOver ? Code.OVER_LIMIT : Code.OK,
    currentLimit: { requestsPerUnit: limit.requestsPerUnit, unit: UNIT[limit.unit], name },
    limitRemaining: Math.min(remaining, MAX_UINT32),
    durationUntilReset: { seconds: resetSeconds, nanos: 0 },
  };
}

function limitedHeaders({ retryAfter }: DescriptorTrip): HeaderValue[] {
  // Envoy replaces the body of an answer that names no content type.
  const headers = [{ key: 'content-type', value: 'application/json' }];
  if (retryAfter !== undefined) headers.push({ key: 'Retry-After', value: String(retryAfter) });
  return headers;
}

function detailsOf({ limit, name, remaining, resetAt, retryAfter }: DescriptorTrip): Record<string, unknown> {
  return {
    limit_type: limit.unit,
    ...(name === '' ? {} : { limit_name: name }),
    limit: limit.requestsPerUnit,
    remaining,
    reset_at: new Date(resetAt * 1000).toISOString().replace('.000Z', 'Z'),
    ...(retryAfter === undefined ? {} : { retry_after: retryAfter }),
  };
}
