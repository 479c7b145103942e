import type { Descriptor } from '@tollgate/descriptor-limits/descriptor-limits';
import type { Unit } from '@tollgate/descriptor-limits/unit';
import type { RateLimitDescriptor } from '@tollgate/protos/envoy/extensions/common/ratelimit/v3/ratelimit';
import {
  type RateLimitRequest,
  RateLimitResponse_RateLimit_Unit as UnitNumber,
} from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { COST_TOO_HIGH, costOf } from './cost.js';

/** Each is a take by itself: one call must not fill the queue of all. */
const MAX_DESCRIPTORS = 100;

/**
 * A descriptor's own limit has the units of envoy.type.v3.RateLimitUnit, whose numbers are the same as far as they go; clients
 * of envoyproxy/ratelimit send its number of the week too.
 */
const UNIT_OF: ReadonlyMap<number, Unit> = new Map([
  [UnitNumber.SECOND, 'second'],
  [UnitNumber.MINUTE, 'minute'],
  [UnitNumber.HOUR, 'hour'],
  [UnitNumber.DAY, 'day'],
  [UnitNumber.WEEK, 'week'],
  [UnitNumber.MONTH, 'month'],
  [UnitNumber.YEAR, 'year'],
]);

export type RuleRequest = { kind: 'descriptors'; descriptors: Descriptor[] } | { kind: 'invalid'; reason: string };

/** Reads the descriptors of a call of a domain that has rules. */
export function ruleRequestFrom(request: RateLimitRequest): RuleRequest {
  const { length } = request.descriptors;
  if (length === 0) return { kind: 'invalid', reason: 'The list of rate limit descriptors must not be empty.' };
  if (length > MAX_DESCRIPTORS) return { kind: 'invalid', reason: `A call has at most ${MAX_DESCRIPTORS} descriptors.` };
  const descriptors: Descriptor[] = [];
  for (const descriptor of request.descriptors) {
    const cost = costOf(request, descriptor);
    if (cost === undefined) return { kind: 'invalid', reason: COST_TOO_HIGH };
    const ownLimit = ownLimitOf(descriptor);
    if (ownLimit === 'invalid') return { kind: 'invalid', reason: 'The limit of a descriptor has no unit that is known.' };
    descriptors.push({ entries: descriptor.entries, cost, ownLimit });
  }
  return { kind: 'descriptors', descriptors };
}

function ownLimitOf({ limit }: RateLimitDescriptor): Descriptor['ownLimit'] | 'invalid' {
  if (limit === undefined) return undefined;
  const unit = UNIT_OF.get(limit.unit);
  return unit === undefined ? 'invalid' : { requestsPerUnit: limit.requestsPerUnit, unit };
}
