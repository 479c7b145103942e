import type { StoreLimit, TakeRequest } from '@tollgate/limit-store/limit-store';
import { type Entry, findRule, type MatchedRules } from './find-rule.js';
import { type MetricName, metricName } from './metric-name.js';
import type { DomainRules, Rule, RuleLimit } from './rule.js';
import { stateTag } from './state-tag.js';
import { UNIT_SECONDS, type Unit } from './unit.js';

/** One descriptor of a call. */
export interface Descriptor {
  entries: readonly Entry[];
  /** A whole number; 0 looks. */
  cost: number;
  /** A limit that the call brings along, in the place of the configured one. */
  ownLimit: { requestsPerUnit: number; unit: Unit } | undefined;
}

/** What becomes of a descriptor. */
export type Applied =
  /** No rule for it, a rule without a limit, or a limit that another one of this call replaces. */
  | { kind: 'none' }
  | { kind: 'unlimited'; metric: MetricName }
  | {
      kind: 'limit';
      limit: RuleLimit;
      name: string;
      isShadow: boolean;
      isQuota: boolean;
      metric: MetricName;
      take: TakeRequest;
    };

type Found = { applied: Applied; name: string; replaces: readonly string[] };

const NONE: Applied = { kind: 'none' };
const NOTHING: Found = { applied: NONE, name: '', replaces: [] };

/** What each descriptor of a call must pass, in their order; each is taken by itself, whatever becomes of the others. */
export function appliedLimits(domain: string, rules: DomainRules, descriptors: readonly Descriptor[]): Applied[] {
  const found = descriptors.map((descriptor) => findOne(domain, rules, descriptor));
  if (found.every(({ replaces }) => replaces.length === 0)) return found.map(({ applied }) => applied);
  const replaced = new Set(found.flatMap(({ replaces }) => replaces));
  return found.map(({ applied, name }) => (applied.kind === 'limit' && name !== '' && replaced.has(name) ? NONE : applied));
}

function findOne(domain: string, rules: DomainRules, descriptor: Descriptor): Found {
  const { entries, cost, ownLimit } = descriptor;
  if (ownLimit !== undefined) return { ...NOTHING, applied: ownLimited(domain, rules, entries, cost, ownLimit) };
  const matched = findRule(rules.rules, entries);
  if (matched === undefined) return NOTHING;
  const rule = matched[matched.length - 1] as Rule;
  if (rule.limit === undefined) return NOTHING;
  const { name, replaces } = rule;
  return { applied: ruled(domain, entries, cost, matched, rule.limit), name, replaces };
}

function ruled(
  domain: string,
  entries: readonly Entry[],
  cost: number,
  matched: MatchedRules,
  limit: RuleLimit | 'unlimited',
): Applied {
  const metric = metricName(domain, entries, matched);
  if (limit === 'unlimited') return { kind: 'unlimited', metric };
  const { name, isShadow, isQuota } = matched[matched.length - 1] as Rule;
  const take = { organizationId: stateTag(domain, entries, matched), cost, limits: storeLimits(limit) };
  return { kind: 'limit', limit, name, isShadow, isQuota, metric, take };
}

/** A bucket would be cut to the smaller of two limits that calls bring along, so each of them has one of its own. */
function ownLimited(
  domain: string,
  { algorithm }: DomainRules,
  entries: readonly Entry[],
  cost: number,
  { requestsPerUnit, unit }: NonNullable<Descriptor['ownLimit']>,
): Applied {
  const limit: RuleLimit = { requestsPerUnit, unit, algorithm };
  const store = storeLimit(limit);
  const limits = [store.kind === 'rate' ? { ...store, id: `${unit}:${requestsPerUnit}` } : store];
  return {
    ...{ kind: 'limit', limit, name: '', isShadow: false, isQuota: false },
    metric: { rule: `${domain}.limit_of_the_call`, detailed: undefined },
    take: { organizationId: stateTag(domain, entries), cost, limits },
  };
}

/** Worked out once a rule. */
function storeLimits(limit: RuleLimit): readonly StoreLimit[] {
  let limits = known.get(limit);
  if (limits === undefined) {
    limits = [storeLimit(limit)];
    known.set(limit, limits);
  }
  return limits;
}

const known = new WeakMap<RuleLimit, readonly StoreLimit[]>();

function storeLimit({ requestsPerUnit, unit, algorithm }: RuleLimit): StoreLimit {
  const seconds = UNIT_SECONDS[unit];
  if (algorithm === 'fixed_window')
    return { kind: 'window', id: `window:${unit}`, quota: requestsPerUnit, lengthMs: seconds * 1000 };
  // A bucket of 0 needs a rate above 0, and never has anything to refill.
  return { kind: 'rate', id: unit, perMinute: (Math.max(1, requestsPerUnit) * 60) / seconds, burst: requestsPerUnit };
}
