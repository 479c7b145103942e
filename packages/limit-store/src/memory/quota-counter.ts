import { dayPeriod, monthPeriod } from '@tollgate/domain/period';
import type { LimitState, StoreLimit } from '../limit-store.js';
import { STEP_BACK_MS } from './step-back.js';

/** What is counted up in periods: a quota, or a fixed window. */
export type QuotaLimit = Extract<StoreLimit, { kind: 'quota' | 'window' }>;

/** What was used of a quota in one period, and what a window denied. The quota is not kept, so that a changed one counts at once. */
export interface QuotaCounter {
  used: number;
  startMs: number;
  endMs: number;
}

/** The counter of the current period: the saved one where it still counts, else one that begins at 0. A new object. */
export function currentCounter(saved: QuotaCounter | undefined, limit: QuotaLimit, nowMs: number): QuotaCounter {
  if (saved === undefined) return { used: 0, ...periodOf(limit, nowMs) };
  const isJustAhead = saved.startMs > nowMs && !isCounterAstray(saved, nowMs);
  const atMs = isJustAhead ? saved.startMs : nowMs;
  const { startMs, endMs } = periodOf(limit, atMs);
  return { used: saved.startMs < startMs || saved.startMs > atMs ? 0 : saved.used, startMs, endMs };
}

/** Whether the clock went back so far that it must have been wrong when this counter was saved. */
export function isCounterAstray(saved: QuotaCounter, nowMs: number): boolean {
  return saved.startMs > nowMs + STEP_BACK_MS;
}

export function quotaWaitMs(counter: QuotaCounter, limit: QuotaLimit, cost: number, nowUs: number): number {
  if (cost > limit.quota) return Infinity;
  const isLook = cost === 0 && limit.kind === 'quota';
  return isLook || counter.used + cost <= limit.quota ? 0 : Math.ceil((counter.endMs * 1000 - nowUs) / 1000);
}

export function quotaState(counter: QuotaCounter, limit: QuotaLimit, waitMs: number): LimitState {
  return { remaining: Math.max(0, limit.quota - counter.used), resetAtMs: counter.endMs, waitMs };
}

function periodOf(limit: QuotaLimit, atMs: number): { startMs: number; endMs: number } {
  if (limit.kind === 'window') {
    const startMs = Math.floor(atMs / limit.lengthMs) * limit.lengthMs;
    return { startMs, endMs: startMs + limit.lengthMs };
  }
  return limit.window === 'day' ? dayPeriod(atMs) : monthPeriod(limit.anchorDay, atMs);
}
