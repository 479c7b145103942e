import type { TakeResult } from '@tollgate/limit-store/limit-store';
import type { Applied } from './descriptor-limits.js';
import type { RuleLimit } from './rule.js';

/** How one descriptor stands, as its caller is told. */
export type DescriptorStatus =
  | { kind: 'none' }
  | { kind: 'unlimited' }
  | {
      kind: 'limit';
      isOver: boolean;
      /** It would be over, were it not for its shadow mode. */
      isShadowed: boolean;
      limit: RuleLimit;
      name: string;
      remaining: number;
      /** Whole seconds until the bucket is full or the window ends, rounded up. */
      resetSeconds: number;
    };

/** The limit that keeps a call away for longest. */
export interface DescriptorTrip {
  limit: RuleLimit;
  name: string;
  remaining: number;
  /** Whole seconds until this cost fits, rounded up; undefined where it never will. */
  retryAfter: number | undefined;
  /** Unix seconds. */
  resetAt: number;
}

export interface RulesDecision {
  /** `unlimited`: no descriptor has a limit. */
  kind: 'allowed' | 'limited' | 'unlimited';
  statuses: DescriptorStatus[];
  /** The store was not asked, or did not answer, for at least one of them. */
  isDegraded: boolean;
  /** There exactly where it is `limited`. */
  trip: DescriptorTrip | undefined;
}

/** What the store returned for one descriptor; undefined where nothing was to take. */
export type Taken = (TakeResult & { isDegraded: boolean }) | undefined;

/**
 * A call is over where one of its limits is, or where all of its quota rules are; one in shadow mode never is. `taken` is in
 * the order of `applied`.
 */
export function judgeDescriptors(applied: readonly Applied[], taken: readonly Taken[]): RulesDecision {
  const judged = applied.map((each, i) => judgeOne(each, taken[i]));
  const limits = judged.filter((each) => each.trip !== undefined);
  const over = limits.filter(({ status }) => status.kind === 'limit' && status.isOver);
  const quotas = limits.filter(({ isQuota }) => isQuota);
  const isOver = over.some(({ isQuota }) => !isQuota) || (quotas.length > 0 && quotas.every((each) => over.includes(each)));
  return {
    kind: isOver ? 'limited' : limits.length > 0 ? 'allowed' : 'unlimited',
    statuses: judged.map(({ status }) => status),
    isDegraded: taken.some((each) => each?.isDegraded === true),
    trip: isOver ? longest(over.map(({ trip }) => trip as DescriptorTrip)) : undefined,
  };
}

interface Judged {
  status: DescriptorStatus;
  isQuota: boolean;
  /** Of every limit, over or not. */
  trip?: DescriptorTrip;
}

function judgeOne(applied: Applied, taken: Taken): Judged {
  if (applied.kind !== 'limit') return { status: { kind: applied.kind }, isQuota: false };
  const state = taken?.states[0];
  if (taken === undefined || state === undefined) throw new Error('the limit store returned no state for a limit');
  const { limit, name, isShadow, isQuota } = applied;
  const { remaining, resetAtMs, waitMs } = state;
  const fits = Number.isFinite(waitMs);
  const isOver = !taken.isAllowed && !isShadow;
  const isShadowed = !taken.isAllowed && isShadow;
  const resetSeconds = Math.max(0, Math.ceil((resetAtMs - taken.nowMs) / 1000));
  return {
    status: { kind: 'limit', isOver, isShadowed, limit, name, remaining, resetSeconds },
    isQuota,
    trip: {
      ...{ limit, name, remaining },
      retryAfter: fits ? Math.max(1, Math.ceil(waitMs / 1000)) : undefined,
      resetAt: Math.ceil((fits ? taken.nowMs + waitMs : resetAtMs) / 1000),
    },
  };
}

function longest(trips: readonly DescriptorTrip[]): DescriptorTrip {
  const waitOf = ({ retryAfter = Infinity }: DescriptorTrip): number => retryAfter;
  return trips.reduce((one, other) => (waitOf(other) > waitOf(one) ? other : one));
}
