import { isUuid } from '@tollgate/domain/uuid';
import type { Tightening, Window } from '@tollgate/limit-store/applied-limits';
import type { RateLimitDescriptor } from '@tollgate/protos/envoy/extensions/common/ratelimit/v3/ratelimit';
import type { RateLimitRequest } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { RateLimitUnit } from '@tollgate/protos/envoy/type/v3/ratelimit_unit';
import { COST_TOO_HIGH, costOf } from './cost.js';

export const DOMAIN = 'tollgate';

/** What a RateLimitRequest asks for. */
export type LimitRequest =
  | { kind: 'take'; organizationId: string; keyId: string; cost: number; tightening: Tightening | undefined }
  /** Nothing that we limit: another domain, or an organization that cannot exist. */
  | { kind: 'unlimited'; reason: 'other-domain' | 'unknown-organization'; descriptors: number }
  | { kind: 'invalid'; reason: string };

const WINDOW_OF: ReadonlyMap<RateLimitUnit, Window> = new Map([
  [RateLimitUnit.MINUTE, 'minute'],
  [RateLimitUnit.DAY, 'day'],
  [RateLimitUnit.MONTH, 'month'],
]);

/** Reads what Envoy asks. Of the domain `tollgate` a call has one descriptor: `organization_id` and, mostly, `key_id`. */
export function requestFrom(request: RateLimitRequest): LimitRequest {
  if (request.domain === '') return { kind: 'invalid', reason: 'The rate limit domain must not be empty.' };
  const descriptor = request.descriptors[0];
  if (descriptor === undefined) return { kind: 'invalid', reason: 'The list of rate limit descriptors must not be empty.' };
  if (request.domain !== DOMAIN) {
    return { kind: 'unlimited', reason: 'other-domain', descriptors: request.descriptors.length };
  }
  if (request.descriptors.length > 1) {
    return { kind: 'invalid', reason: `The domain ${DOMAIN} takes one descriptor a call: organization_id and key_id.` };
  }
  const organizationId = entryValue(descriptor, 'organization_id');
  if (organizationId === undefined) return { kind: 'invalid', reason: 'The descriptor names no organization_id.' };
  if (!isUuid(organizationId)) return { kind: 'unlimited', reason: 'unknown-organization', descriptors: 1 };
  const cost = costOf(request, descriptor);
  if (cost === undefined) return { kind: 'invalid', reason: COST_TOO_HIGH };
  return {
    kind: 'take',
    organizationId,
    keyId: entryValue(descriptor, 'key_id') ?? '',
    cost,
    tightening: tighteningOf(descriptor),
  };
}

function entryValue(descriptor: RateLimitDescriptor, key: string): string | undefined {
  return descriptor.entries.find((entry) => entry.key === key)?.value;
}

/** An override in a unit that we have no window for is left aside: the stored limits, which it could only tighten, hold. */
function tighteningOf({ limit }: RateLimitDescriptor): Tightening | undefined {
  const window = limit && WINDOW_OF.get(limit.unit);
  return window && { window, limit: limit.requestsPerUnit };
}
