import { effectiveLimits, isInShadow, type Limits, type LimitsOverride, type OrganizationLimits } from '@tollgate/domain/limits';
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
  return tightening === undefined ? limits : appliedOf(tightened(limits.shown, tightening, ofOrganization(found)));
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

function organizationLimits(found: OrganizationLimits): AppliedLimit[] {
  return windowsOf(effectiveLimits(found.plan, found.override), ofOrganization(found));
}

/** Whose limits are counted: where their state stands, and how. */
interface Subject {
  scope: string;
  anchorDay: number;
  isShadow: boolean;
}

function ofOrganization({ plan, override, billingAnchorDay }: OrganizationLimits): Subject {
  return { scope: ORGANIZATION, anchorDay: billingAnchorDay, isShadow: isInShadow(plan, override) };
}

function keyLimits(
  { plan, override, billingAnchorDay }: OrganizationLimits,
  keyId: string,
  ofKey: LimitsOverride,
): AppliedLimit[] {
  const subject = { scope: `key:${keyId}`, anchorDay: billingAnchorDay, isShadow: ofKey.isShadow === true };
  return windowsOf(onlySet(ofKey, effectiveLimits(plan, override)), subject);
}

/**
 * A quota is counted on with less left of it. A bucket would be cut to the smaller size for all requests, so a tightened
 * rate has a bucket of its own beside the organization's. It stands for a limit of the organization, so it is in shadow where
 * those are.
 */
function tightened(shown: readonly AppliedLimit[], { window, limit }: Tightening, organization: Subject): AppliedLimit[] {
  if (window === 'minute') {
    const store: StoreLimit = {
      kind: 'rate',
      id: `${ORGANIZATION}:minute:${limit}`,
      perMinute: Math.max(1, limit),
      burst: limit,
      ...shadowOf(organization),
    };
    return [...shown, { window, limit, store }];
  }
  const [own] = windowsOf(window === 'day' ? { perDay: limit } : { perMonth: limit }, organization);
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

function windowsOf(limits: LimitsOverride, subject: Subject): AppliedLimit[] {
  const { perMinute, burst, perDay, perMonth } = limits;
  const { scope, anchorDay } = subject;
  const shadow = shadowOf(subject);
  const applied: AppliedLimit[] = [];
  if (perMinute !== undefined) {
    const store: StoreLimit = { kind: 'rate', id: `${scope}:minute`, perMinute, burst: burst ?? perMinute, ...shadow };
    applied.push({ window: 'minute', limit: perMinute, store });
  }
  if (perDay !== undefined) {
    const store: StoreLimit = { kind: 'quota', id: `${scope}:day`, quota: perDay, window: 'day', ...shadow };
    applied.push({ window: 'day', limit: perDay, store });
  }
  if (perMonth !== undefined) {
    const store: StoreLimit = { kind: 'quota', id: `${scope}:month`, quota: perMonth, window: 'month', anchorDay, ...shadow };
    applied.push({ window: 'month', limit: perMonth, store });
  }
  return applied;
}

/** Only where it is: what is enforced is what it was before there were shadows. */
const shadowOf = ({ isShadow }: Subject): Pick<StoreLimit, 'isShadow'> => (isShadow ? { isShadow: true } : {});
