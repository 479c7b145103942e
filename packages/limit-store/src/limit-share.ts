import { isEnforced, type StoreLimit, type TakeRequest } from './limit-store.js';

/** One of `instances` equal parts of each limit, at least one request of it. */
export function limitShares(limits: readonly StoreLimit[], instances: number): StoreLimit[] {
  return limits.map((limit) =>
    limit.kind === 'rate'
      ? { ...limit, perMinute: limit.perMinute / instances, burst: part(limit.burst, instances) }
      : { ...limit, quota: part(limit.quota, instances) },
  );
}

/**
 * The request against one instance's shares. A cost that fits the limits but no share is cut to the smallest share: else
 * what is allowed with the store could never pass without it. A cost above a limit itself stays, and is denied. Limits in
 * shadow have no part in this: they deny nothing.
 */
export function sharedRequest({ organizationId, cost, limits }: TakeRequest, instances: number): TakeRequest {
  const shares = limitShares(limits, instances);
  const fits = cost <= smallest(limits);
  return { organizationId, limits: shares, cost: fits ? Math.min(cost, smallest(shares)) : cost };
}

const part = (size: number, instances: number): number => (size === 0 ? 0 : Math.max(1, Math.floor(size / instances)));
const sizeOf = (limit: StoreLimit): number => (limit.kind === 'rate' ? limit.burst : limit.quota);
const smallest = (limits: readonly StoreLimit[]): number => Math.min(...limits.filter(isEnforced).map(sizeOf));
