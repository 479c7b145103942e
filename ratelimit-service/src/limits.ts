import type { RecordCache } from '@tollgate/cache/record-cache';
import { effectiveLimits, type Limits, type LimitsOverride, type OrganizationLimits } from '@tollgate/domain/limits';
import type { StoreLimit } from '@tollgate/limit-store/limit-store';

export type FindLimits = (
  organizationId: string,
  nowMs: number,
) => OrganizationLimits | undefined | Promise<OrganizationLimits | undefined>;

/** A descriptor's own `limit`: it may tighten a window, never loosen it. */
export type Tightening = Partial<Record<Window, number>>;
export type Window = 'minute' | 'day' | 'month';

/** What a caller is told a limit is. */
export interface AppliedLimit {
  window: Window;
  /** Per minute, per day or per month. */
  limit: number;
  store: StoreLimit;
}

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

/** The limits that a request of this key must pass, all of them. */
export function appliedLimits(found: OrganizationLimits, keyId: string, tightening: Tightening): AppliedLimit[] {
  const { plan, override, billingAnchorDay, keyLimits } = found;
  const organization = effectiveLimits(plan, override);
  const applied = windowsOf(tighten(organization, tightening), 'organization', billingAnchorDay);
  const ofKey = keyLimits.get(keyId);
  if (ofKey === undefined) return applied;
  return [...applied, ...windowsOf(onlySet(ofKey, organization), `key:${keyId}`, billingAnchorDay)];
}

function tighten(limits: Limits, tightening: Tightening): Limits {
  const perMinute = Math.min(limits.perMinute, tightening.minute ?? Number.POSITIVE_INFINITY);
  const perMonth = Math.min(limits.perMonth ?? Number.POSITIVE_INFINITY, tightening.month ?? Number.POSITIVE_INFINITY);
  return {
    perMinute,
    burst: tightening.minute === undefined ? limits.burst : Math.min(limits.burst, tightening.minute),
    perDay: Math.min(limits.perDay, tightening.day ?? Number.POSITIVE_INFINITY),
    ...(Number.isFinite(perMonth) ? { perMonth } : {}),
  };
}

/** A key's own limits bound only the windows that they name. */
function onlySet(ofKey: LimitsOverride, organization: Limits): LimitsOverride {
  if (ofKey.perMinute === undefined) return ofKey;
  return { ...ofKey, burst: effectiveLimits(organization, ofKey).burst };
}

function windowsOf(limits: LimitsOverride, scope: string, anchorDay: number): AppliedLimit[] {
  const { perMinute, burst, perDay, perMonth } = limits;
  const applied: AppliedLimit[] = [];
  if (perMinute !== undefined) {
    const store: StoreLimit = { kind: 'rate', id: `${scope}:minute`, perMinute, burst: burst ?? perMinute };
    applied.push({ window: 'minute', limit: perMinute, store });
  }
  if (perDay !== undefined) {
    applied.push({ window: 'day', limit: perDay, store: { kind: 'quota', id: `${scope}:day`, quota: perDay, window: 'day' } });
  }
  if (perMonth !== undefined) {
    const store: StoreLimit = { kind: 'quota', id: `${scope}:month`, quota: perMonth, window: 'month', anchorDay };
    applied.push({ window: 'month', limit: perMonth, store });
  }
  return applied;
}
