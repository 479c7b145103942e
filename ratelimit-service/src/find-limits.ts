import type { RecordCache } from '@tollgate/cache/record-cache';
import type { OrganizationLimits } from '@tollgate/domain/limits';

export type FindLimits = (
  organizationId: string,
  nowMs: number,
) => OrganizationLimits | undefined | Promise<OrganizationLimits | undefined>;

/** Looks limits up through the cache. A database that does not answer leaves the last known limits in force. */
export function createFindLimits(cache: RecordCache<OrganizationLimits>): FindLimits {
  return (organizationId, nowMs) => {
    const hit = cache.get(organizationId, nowMs);
    if (hit !== undefined) return hit;
    if (cache.isKnownAbsent(organizationId, nowMs)) return undefined;
    return cache.load(organizationId, nowMs).catch((error: unknown) => {
      const stale = cache.getStale(organizationId);
      if (stale === undefined) throw error;
      return stale;
    });
  };
}
