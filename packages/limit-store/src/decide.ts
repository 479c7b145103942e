import type { AppliedLimit, Window } from './applied-limits.js';
import type { LimitState, TakeResult } from './limit-store.js';

/** How one window stands, as the caller is told: of an organization's and a key's limit, the tighter. */
export interface WindowState {
  window: Window;
  limit: number;
  remaining: number;
  /** Unix seconds at which the bucket is full or the quota starts anew. */
  resetAt: number;
}

/** Why a request was denied: the limit that takes longest to let it through. */
export interface Trip {
  window: Window;
  limit: number;
  remaining: number;
  /** Whole seconds until this cost fits, rounded up; undefined where it exceeds the limit itself and never will. */
  retryAfter: number | undefined;
  /** Unix seconds at which it fits. */
  resetAt: number;
}

export type Decision =
  | { kind: 'allowed'; windows: WindowState[]; isDegraded: boolean }
  | { kind: 'limited'; windows: WindowState[]; isDegraded: boolean; trip: Trip }
  /** No such organization: nothing to limit by. */
  | { kind: 'unlimited' };

/** Turns what the store returned into a decision; `applied` and `taken.states` are in the same order. */
export function decide(applied: readonly AppliedLimit[], taken: TakeResult & { isDegraded: boolean }): Decision {
  const { isAllowed, isDegraded, states, nowMs } = taken;
  const windows = tightestOf(applied, states);
  if (isAllowed) return { kind: 'allowed', windows, isDegraded };
  return { kind: 'limited', windows, isDegraded, trip: tripOf(applied, states, nowMs) };
}

function tightestOf(applied: readonly AppliedLimit[], states: readonly LimitState[]): WindowState[] {
  const tightest: WindowState[] = [];
  applied.forEach(({ window, limit }, i) => {
    const state = stateAt(states, i);
    const next = { window, limit, remaining: state.remaining, resetAt: Math.ceil(state.resetAtMs / 1000) };
    const at = tightest.findIndex((other) => other.window === window);
    if (at < 0) tightest.push(next);
    else if (next.remaining < (tightest[at]?.remaining ?? 0)) tightest[at] = next;
  });
  return tightest;
}

function tripOf(applied: readonly AppliedLimit[], states: readonly LimitState[], nowMs: number): Trip {
  let longest = 0;
  for (let i = 1; i < applied.length; i++) {
    if (stateAt(states, i).waitMs > stateAt(states, longest).waitMs) longest = i;
  }
  const { window, limit } = applied[longest] as AppliedLimit;
  const { remaining, waitMs, resetAtMs } = stateAt(states, longest);
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
