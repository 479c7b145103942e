import { effectiveLimits, type Limits, type LimitsOverride, type OrganizationLimits } from '@tollgate/domain/limits';
import type { StoreLimit } from './limit-store.js';

export type Window = 'minute' | 'day' | 'month';

/** A descriptor's own `limit`: it may tighten a window, never loosen it. 0 lets nothing through. */
export interface Tightening {
  window: Window;
  limit: number;
}

/** What a caller is told a limit is. */
export interface AppliedLimit {
  window: Window;
  /** Per minute, per day or per month. */
  limit: number;
  store: StoreLimit;
}

/** The limits that a request must pass, all of them; `store` holds what is taken from, in the same order. */
export interface AppliedLimits {
  shown: readonly AppliedLimit[];
  store: readonly StoreLimit[];
}

/** What was worked out for limits that have not changed since; gone with their record. */
interface KnownLimits {
  organization: AppliedLimits;
  /** Only of keys that have limits of their own. */
  keys: Map<string, AppliedLimits>;
}

const known = new WeakMap<OrganizationLimits, KnownLimits>();
const ORGANIZATION = 'organization';

/** The limits that a request of this key must pass. `found` is never changed, so the answer is kept beside it. */
export function appliedLimits(found: OrganizationLimits, keyId: string, tightening: Tightening | undefined): AppliedLimits {
  const limits = knownLimits(found, keyId);
  return tightening === undefined ? limits : appliedOf(tightened(limits.shown, tightening, found.billingAnchorDay));
}

function knownLimits(found: OrganizationLimits, keyId: string): AppliedLimits {
  let all = known.get(found);
  if (all === undefined) {
    all = { organization: appliedOf(organizationLimits(found)), keys: new Map() };
    known.set(found, all);
  }
  const ofKey = found.keyLimits.get(keyId);
  if (ofKey === undefined) return all.organization;
  let limits = all.keys.get(keyId);
  if (limits === undefined) {
    limits = appliedOf([...all.organization.shown, ...keyLimits(found, keyId, ofKey)]);
    all.keys.set(keyId, limits);
  }
  return limits;
}

function appliedOf(shown: readonly AppliedLimit[]): AppliedLimits {
  return { shown, store: shown.map((limit) => limit.store) };
}

function organizationLimits({ plan, override, billingAnchorDay }: OrganizationLimits): AppliedLimit[] {
  return windowsOf(effectiveLimits(plan, override), ORGANIZATION, billingAnchorDay);
}

function keyLimits(
  { plan, override, billingAnchorDay }: OrganizationLimits,
  keyId: string,
  ofKey: LimitsOverride,
): AppliedLimit[] {
  return windowsOf(onlySet(ofKey, effectiveLimits(plan, override)), `key:${keyId}`, billingAnchorDay);
}

/**
 * A quota is counted on with less left of it. A bucket would be cut to the smaller size for all requests, so a tightened
 * rate has a bucket of its own beside the organization's.
 */
function tightened(shown: readonly AppliedLimit[], { window, limit }: Tightening, anchorDay: number): AppliedLimit[] {
  if (window === 'minute') {
    const store: StoreLimit = {
      kind: 'rate',
      id: `${ORGANIZATION}:minute:${limit}`,
      perMinute: Math.max(1, limit),
      burst: limit,
    };
    return [...shown, { window, limit, store }];
  }
  const [own] = windowsOf(window === 'day' ? { perDay: limit } : { perMonth: limit }, ORGANIZATION, anchorDay);
  if (own === undefined) return [...shown];
  const stored = shown.find((each) => each.store.id === own.store.id);
  if (stored === undefined) return [...shown, own];
  return stored.limit <= limit ? [...shown] : shown.map((each) => (each === stored ? own : each));
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
