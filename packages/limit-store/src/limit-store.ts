/**
 * The seam between deciding and counting: where buckets and quota counters live. `redis/` and `memory/` stand behind
 * it and pass one behaviour suite.
 */

/**
 * A rule that a take must pass. `id` names its state within the organization, so that a key's own limits stand apart. One
 * in shadow is counted as if it were enforced, and denies nothing.
 */
export type StoreLimit = CountedLimit & { isShadow?: boolean };

type CountedLimit =
  /** `burst` is the bucket's size; `perMinute` is above 0 and may be a fraction (10 an hour, one instance's share). */
  | { kind: 'rate'; id: string; perMinute: number; burst: number }
  | { kind: 'quota'; id: string; quota: number; window: 'day' }
  | { kind: 'quota'; id: string; quota: number; window: 'month'; anchorDay: number }
  /**
   * A fixed window that begins at a multiple of its length since 1970. It counts as envoyproxy/ratelimit does: what it
   * denies too, so that a cost which does not fit uses up the rest; and once it has denied, a look is denied as well.
   */
  | { kind: 'window'; id: string; quota: number; lengthMs: number };

export const isEnforced = (limit: StoreLimit): boolean => limit.isShadow !== true;

export interface TakeRequest {
  /** Not empty and without braces, which part the key in Redis. */
  organizationId: string;
  /** What the request costs, a whole number; 0 looks and takes nothing, and is denied by no limit but a window. */
  cost: number;
  /** No two of one id. */
  limits: readonly StoreLimit[];
}

/** How one limit stands after the take. Times are Unix milliseconds by the store's clock. */
export interface LimitState {
  /** Whole requests left. */
  remaining: number;
  /** When the bucket is full, or when the quota or window starts anew. */
  resetAtMs: number;
  /**
   * What stood in the way of this cost: how long until it fits this limit, rounded up; 0 where it fitted; Infinity where it
   * exceeds the limit itself. So the take was allowed exactly when all are 0 that are not in shadow.
   */
  waitMs: number;
}

export interface TakeResult {
  /** False: no limit was touched but windows, which count what is denied. */
  isAllowed: boolean;
  /** One for each limit asked for, in that order. */
  states: readonly LimitState[];
  /** The store's clock at the decision, Unix milliseconds. */
  nowMs: number;
}

export interface LimitStore {
  /**
   * Takes the cost from every limit, or from none (but windows, see StoreLimit). Limits in shadow never stand in the way of
   * that: they are taken from where every limit fits, the shadow ones too, so that they stand as if they were enforced.
   * Rejects with StoreUnavailable where the store cannot answer in its
   * deadline (the take may have happened all the same), with RangeError where the request itself is senseless.
   */
  take(request: TakeRequest): Promise<TakeResult>;
  /**
   * Forgets what was counted for these limits of an organization: they are as if they had never been used. Rejects with
   * StoreUnavailable as a take does.
   */
  reset(organizationId: string, limitIds: readonly string[]): Promise<void>;
  /** Whether the store answers, for readiness and doctor. Rejects with StoreUnavailable. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
