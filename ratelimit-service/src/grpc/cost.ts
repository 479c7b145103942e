import type { RateLimitDescriptor } from '@tollgate/protos/envoy/extensions/common/ratelimit/v3/ratelimit';
import type { RateLimitRequest } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';

const MAX_COST = 1_000_000_000;
export const COST_TOO_HIGH = `hits_addend must be at most ${MAX_COST}.`;

/**
 * What a descriptor costs; undefined where that is too much. Its own `hits_addend` wins, and its explicit 0 looks without taking;
 * the request's 0 means "unset", so 1.
 */
export function costOf(request: RateLimitRequest, descriptor: RateLimitDescriptor): number | undefined {
  const cost = descriptor.hitsAddend ?? (request.hitsAddend || 1);
  return cost > MAX_COST ? undefined : cost;
}
