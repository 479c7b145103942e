import type { DescriptorStatus, DescriptorTrip, RulesDecision } from '@tollgate/descriptor-limits/judge-descriptors';
import type { Unit } from '@tollgate/descriptor-limits/unit';
import { rateLimitedBody } from '@tollgate/domain/error-code';
import {
  RateLimitResponse_Code as Code,
  RateLimitResponse,
  RateLimitResponse_RateLimit_Unit as UnitNumber,
} from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { headerBytes } from './header-bytes.js';
import { DEGRADED, limitedDetails, limitedHeaders, MAX_UINT32 } from './over-limit.js';

type WireStatus = RateLimitResponse['statuses'][number];

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
    responseHeadersToAdd: [], // encoded apart
    requestHeadersToAdd: [],
    rawBody: Buffer.alloc(0),
    dynamicMetadata: { decision: kind },
  };
  const headers = trip === undefined ? [] : limitedHeaders(trip);
  if (isDegraded) headers.push(DEGRADED);
  if (trip !== undefined)
    message.rawBody = Buffer.from(JSON.stringify(rateLimitedBody(trip.limit.unit, requestId, now, detailsOf(trip))));
  return Buffer.concat([RateLimitResponse.encode(message).finish(), headerBytes(headers)]);
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

function detailsOf({ limit: { unit, requestsPerUnit }, name, ...trip }: DescriptorTrip): Record<string, unknown> {
  return limitedDetails({ limit_type: unit, ...(name === '' ? {} : { limit_name: name }), limit: requestsPerUnit }, trip);
}
