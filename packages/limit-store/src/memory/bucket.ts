import type { LimitState, StoreLimit } from '../limit-store.js';
import { STEP_BACK_MS } from './step-back.js';

export type RateLimit = Extract<StoreLimit, { kind: 'rate' }>;

/** What a bucket held at a moment. The arithmetic, and why it is exact, stands at the head of redis/take.lua. */
export interface Bucket {
  /** In 1/60,000,000 request. */
  units: number;
  atUs: number;
}

const UNITS = 60_000_000;

/** The bucket as of now. A new object: a denied take must leave the saved one alone, or rounding would eat its refill. */
export function refilled(saved: Bucket | undefined, limit: RateLimit, nowUs: number): Bucket {
  const full = limit.burst * UNITS;
  if (saved === undefined) return { units: full, atUs: nowUs };
  if (saved.atUs < nowUs) {
    const gained = Math.floor((nowUs - saved.atUs) * limit.perMinute);
    return { units: Math.min(full, saved.units + gained), atUs: nowUs };
  }
  return { units: Math.min(full, saved.units), atUs: isBucketAstray(saved, nowUs) ? nowUs : saved.atUs };
}

/** Whether the clock went back so far that it must have been wrong when this bucket was saved. */
export function isBucketAstray(saved: Bucket, nowUs: number): boolean {
  return saved.atUs > nowUs + STEP_BACK_MS * 1000;
}

export function bucketWaitMs(bucket: Bucket, limit: RateLimit, cost: number, nowUs: number): number {
  if (cost > limit.burst) return Infinity;
  const missing = cost * UNITS - bucket.units;
  return missing <= 0 ? 0 : Math.ceil((bucket.atUs + refillUs(missing, limit.perMinute) - nowUs) / 1000);
}

export function takeFromBucket(bucket: Bucket, cost: number): void {
  bucket.units -= cost * UNITS;
}

export function bucketState(bucket: Bucket, limit: RateLimit, waitMs: number): LimitState {
  const fullAtUs = bucket.atUs + refillUs(limit.burst * UNITS - bucket.units, limit.perMinute);
  return { remaining: Math.floor(bucket.units / UNITS), resetAtMs: Math.ceil(fullAtUs / 1000), waitMs };
}

/** The microseconds in which so many units come back, rounded up so that waiting them is enough. */
function refillUs(units: number, perMinute: number): number {
  const us = Math.ceil(units / perMinute);
  return Math.floor(us * perMinute) < units ? us + 1 : us;
}
