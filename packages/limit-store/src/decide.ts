import type { ErrorCode } from '@tollgate/domain/error-code';
import type { AppliedLimit, Window } from './applied-limits.js';
import { isEnforced, type LimitState, type TakeResult } from './limit-store.js';

/**
 * How one window stands, as the caller is told: of an organization's and a key's limit, the tighter; one in shadow only where
 * none is enforced.
 */
export interface WindowState {
  window: Window;
  limit: number;
  remaining: number;
  /** Unix seconds at which the bucket is full or the quota starts anew. */
  resetAt: number;
  /** Of a month: the day on which it begins, 1 to 31. */
  anchorDay?: number;
}

/** Why a request was denied, or in shadow would have been: the limit that takes longest to let it through. */
export interface Trip {
  window: Window;
  limit: number;
  remaining: number;
  /** Whole seconds until this cost fits, rounded up; undefined where it exceeds the limit itself and never will. */
  retryAfter: number | undefined;
  /** Unix seconds at which it fits. */
  resetAt: number;
}

/** What a caller is told who has tripped. */
export const LIMIT_ERROR: Record<Window, ErrorCode> = {
  minute: 'rate_limit_exceeded',
  day: 'quota_exceeded',
  month: 'quota_exceeded',
};

export type Decision =
  | { kind: 'allowed'; windows: WindowState[]; isDegraded: boolean }
  | { kind: 'limited'; windows: WindowState[]; isDegraded: boolean; trip: Trip }
  /** It passes: nothing but a limit in shadow would have denied it. */
  | { kind: 'shadow'; windows: WindowState[]; isDegraded: boolean; trip: Trip }
  /** No such organization: nothing to limit by. */
  | { kind: 'unlimited' };

/** Turns what the store returned into a decision; `applied` and `taken.states` are in the same order. */
export function decide(applied: readonly AppliedLimit[], taken: TakeResult & { isDegraded: boolean }): Decision {
  const { isAllowed, isDegraded, states, nowMs } = taken;
  if (states.length < applied.length) throw new Error('the limit store returned fewer states than there are limits');
  const all = { applied, states };
  const windows = tightestOf(all);
  if (!isAllowed) return { kind: 'limited', windows, isDegraded, trip: tripOf(all, isEnforced, nowMs) };
  // Whatever stood in the way of a request that passes is in shadow.
  if (states.every(({ waitMs }) => waitMs === 0)) return { kind: 'allowed', windows, isDegraded };
  return { kind: 'shadow', windows, isDegraded, trip: tripOf(all, (store) => !isEnforced(store), nowMs) };
}

/** Limits and their states, by index: nothing is made for each of them, since this runs for every request. */
interface Counted {
  applied: readonly AppliedLimit[];
  states: readonly LimitState[];
}

function tightestOf({ applied, states }: Counted): WindowState[] {
  const shown: number[] = [];
  applied.forEach(({ window }, i) => {
    const at = shown.findIndex((other) => applied[other]?.window === window);
    if (at < 0) shown.push(i);
    else if (isShownBefore({ applied, states }, i, shown[at] as number)) shown[at] = i;
  });
  return shown.map((i) => windowState(applied[i] as AppliedLimit, states[i] as LimitState));
}

function isShownBefore({ applied, states }: Counted, one: number, other: number): boolean {
  const isEnforcing = isEnforced((applied[one] as AppliedLimit).store);
  if (isEnforcing !== isEnforced((applied[other] as AppliedLimit).store)) return isEnforcing;
  return (states[one] as LimitState).remaining < (states[other] as LimitState).remaining;
}

function windowState({ window, limit, store }: AppliedLimit, { remaining, resetAtMs }: LimitState): WindowState {
  const state = { window, limit, remaining, resetAt: Math.ceil(resetAtMs / 1000) };
  return 'anchorDay' in store ? { ...state, anchorDay: store.anchorDay } : state;
}

/** Of the limits that count here, the one that takes longest. */
function tripOf({ applied, states }: Counted, counts: (store: AppliedLimit['store']) => boolean, nowMs: number): Trip {
  let longest = applied.findIndex(({ store }) => counts(store));
  for (let i = longest + 1; i < applied.length; i++) {
    const isLonger = (states[i] as LimitState).waitMs > (states[longest] as LimitState).waitMs;
    if (isLonger && counts((applied[i] as AppliedLimit).store)) longest = i;
  }
  const { window, limit } = applied[longest] as AppliedLimit;
  const { remaining, waitMs, resetAtMs } = states[longest] as LimitState;
  const fits = Number.isFinite(waitMs);
  return {
    window,
    limit,
    remaining,
    retryAfter: fits ? Math.max(1, Math.ceil(waitMs / 1000)) : undefined,
    resetAt: Math.ceil((fits ? nowMs + waitMs : resetAtMs) / 1000),
  };
}
