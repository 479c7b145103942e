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
  const all = applied.map((limit, i): Counted => ({ ...limit, state: stateAt(states, i) }));
  const said = { windows: tightestOf(all), isDegraded };
  if (!isAllowed) return { kind: 'limited', ...said, trip: tripOf(all.filter(isEnforcing), nowMs) };
  // Whatever stood in the way of a request that passes is in shadow.
  const tripped = all.filter(({ state }) => state.waitMs > 0);
  return tripped.length === 0 ? { kind: 'allowed', ...said } : { kind: 'shadow', ...said, trip: tripOf(tripped, nowMs) };
}

interface Counted extends AppliedLimit {
  state: LimitState;
}

const isEnforcing = ({ store }: Counted): boolean => isEnforced(store);

function tightestOf(all: readonly Counted[]): WindowState[] {
  const tightest: (WindowState & { isEnforcing: boolean })[] = [];
  for (const counted of all) {
    const { window, limit, state, store } = counted;
    const resetAt = Math.ceil(state.resetAtMs / 1000);
    const anchor = 'anchorDay' in store ? { anchorDay: store.anchorDay } : {};
    const next = { window, limit, remaining: state.remaining, resetAt, ...anchor, isEnforcing: isEnforcing(counted) };
    const at = tightest.findIndex((other) => other.window === window);
    const other = tightest[at];
    if (other === undefined) tightest.push(next);
    else if (isShownBefore(next, other)) tightest[at] = next;
  }
  return tightest.map(({ isEnforcing: _, ...state }) => state);
}

function isShownBefore<State extends { isEnforcing: boolean; remaining: number }>(one: State, other: State): boolean {
  return one.isEnforcing === other.isEnforcing ? one.remaining < other.remaining : one.isEnforcing;
}

/** Of these, which are not none, the one that takes longest. */
function tripOf(candidates: readonly Counted[], nowMs: number): Trip {
  const { window, limit, state } = candidates.reduce((longest, next) =>
    next.state.waitMs > longest.state.waitMs ? next : longest,
  );
  const { remaining, waitMs, resetAtMs } = state;
  const fits = Number.isFinite(waitMs);
  return {
    window,
    limit,
    remaining,
    retryAfter: fits ? Math.max(1, Math.ceil(waitMs / 1000)) : undefined,
    resetAt: Math.ceil((fits ? nowMs + waitMs : resetAtMs) / 1000),
  };
}

function stateAt(states: readonly LimitState[], i: number): LimitState {
  const state = states[i];
  if (state === undefined) throw new Error('the limit store returned fewer states than there are limits');
  return state;
}
