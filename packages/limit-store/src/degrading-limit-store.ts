import { type CircuitBreaker, createCircuitBreaker } from './circuit-breaker.js';
import { sharedRequest } from './limit-share.js';
import {
  isEnforced,
  type LimitState,
  type LimitStore,
  type StoreLimit,
  type TakeRequest,
  type TakeResult,
} from './limit-store.js';
import { createMemoryLimitStore } from './memory/memory-limit-store.js';
import { steadyClock } from './memory/steady-clock.js';
import { StoreUnavailable } from './store-unavailable.js';

/** What decides while the store is gone: this instance's share of each limit, or the same answer for everybody. */
export type StoreDownMode = 'local' | 'allow' | 'deny';

export interface DegradableTakeResult extends TakeResult {
  /** True: the store was not asked, or did not answer in time, and this is what `StoreDownMode` says. */
  isDegraded: boolean;
}

/** A store of several parts, each with its own organizations, which fail apart. */
export interface PartedLimitStore extends LimitStore {
  /** Names the part that counts for this organization, as far as is known; it may change. */
  partOf(organizationId: string): string;
}

export interface DegradingLimitStore extends LimitStore {
  take(request: TakeRequest): Promise<DegradableTakeResult>;
  /** True while a breaker is open: no take of those organizations waits for the store. */
  isDegraded(): boolean;
}

export interface DegradingLimitStoreOptions {
  mode: StoreDownMode;
  /** How many instances share the limits; each counts 1/instances of them by itself in mode `local`. */
  instances: number;
  /** For gauge and log, once for each part. `cause` is the failure that opened its breaker. */
  onChange?: (isDegraded: boolean, cause?: unknown) => void;
  /** Between two probes of a store that is gone; default 500. */
  probeIntervalMs?: number;
  /** See CircuitBreakerOptions. */
  minCycleMs?: number;
  now?: () => number;
}

const DENIED_RETRY_MS = 1_000;
const MAX_PARTS_WATCHED = 100;

/**
 * Always decides: takes from `store` while that answers, and by `mode` for each take that it does not answer. After three
 * failures in a row, not at one moment, takes no longer wait for it, and one probe at a time finds out when it is back; for
 * each part of the store by itself.
 * - `local`: at most one share and one fresh bucket more than the limits. Day and month quotas have shares too; what was
 *   used of them in the store is not known here, and what is used here is not told to it later.
 * - `deny`: every limit asks to wait a second, and isAllowed is false unless all are in shadow. `allow`: every limit looks
 *   unused.
 * Only StoreUnavailable counts as a failure of the store; a RangeError is the caller's and is thrown. Closes `store` too.
 */
export function createDegradingLimitStore(
  store: LimitStore | PartedLimitStore,
  options: DegradingLimitStoreOptions,
): DegradingLimitStore {
  const now = options.now ?? steadyClock();
  const decide = stopgap(options.mode, options.instances, now);
  const breakers = openBreakers(store, options);

  return {
    async take(request) {
      const breaker = breakers.for(request.organizationId);
      if (breaker.isOpen()) return { ...(await decide(request)), isDegraded: true };
      const round = breaker.round();
      try {
        const { isAllowed, states, nowMs } = await store.take(request);
        breaker.succeeded();
        return { isAllowed, states, nowMs, isDegraded: false };
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        breaker.failed(round, error);
        return { ...(await decide(request)), isDegraded: true };
      }
    },
    // What a share has counted meanwhile goes with the store's absence.
    reset: (organizationId, limitIds) => store.reset(organizationId, limitIds),
    isDegraded: () => breakers.isAnyOpen(),
    ping: () => store.ping(),
    async close() {
      breakers.close();
      await store.close();
    },
  };
}

/** One breaker for each part; the organization that met it first stands for the part in its probes. */
function openBreakers(store: LimitStore | PartedLimitStore, options: DegradingLimitStoreOptions) {
  const breakers = new Map<string, CircuitBreaker>();
  const open = (organizationId: string): CircuitBreaker =>
    createCircuitBreaker({
      probe: () => store.take(probeOf(organizationId)),
      onChange: (isOpen, cause) => options.onChange?.(isOpen, cause),
      ...(options.probeIntervalMs === undefined ? {} : { probeIntervalMs: options.probeIntervalMs }),
      ...(options.minCycleMs === undefined ? {} : { minCycleMs: options.minCycleMs }),
    });
  /** Nodes of a cluster that come and go under new addresses leave theirs behind. */
  const forgetClosed = (): void => {
    for (const [part, breaker] of breakers) if (!breaker.isOpen()) breakers.delete(part);
  };
  return {
    for(organizationId: string): CircuitBreaker {
      const part = 'partOf' in store ? store.partOf(organizationId) : '';
      let breaker = breakers.get(part);
      if (breaker === undefined) {
        if (breakers.size >= MAX_PARTS_WATCHED) forgetClosed();
        breaker = open('partOf' in store ? organizationId : 'probe');
        breakers.set(part, breaker);
      }
      return breaker;
    },
    isAnyOpen(): boolean {
      for (const breaker of breakers.values()) if (breaker.isOpen()) return true;
      return false;
    },
    close(): void {
      for (const breaker of breakers.values()) breaker.close();
    },
  };
}

/** A real take: a store that answers a ping may still refuse to write (a replica, or no memory left). */
const probeOf = (organizationId: string): TakeRequest => ({
  organizationId,
  cost: 1,
  limits: [{ kind: 'rate', id: 'probe', perMinute: 60_000, burst: 1_000 }],
});

function stopgap(mode: StoreDownMode, instances: number, now: () => number): (request: TakeRequest) => Promise<TakeResult> {
  if (mode === 'local') {
    const local = createMemoryLimitStore({ now });
    return (request) => local.take(sharedRequest(request, instances));
  }
  const isOpen = mode === 'allow';
  return async ({ limits }) => {
    const nowMs = Math.floor(now());
    const isAllowed = isOpen || !limits.some(isEnforced);
    return { isAllowed, nowMs, states: limits.map((limit) => (isOpen ? unused(limit, nowMs) : closed(nowMs))) };
  };
}

const unused = (limit: StoreLimit, nowMs: number): LimitState => ({
  remaining: limit.kind === 'rate' ? limit.burst : limit.quota,
  resetAtMs: nowMs,
  waitMs: 0,
});

const closed = (nowMs: number): LimitState => ({ remaining: 0, resetAtMs: nowMs + DENIED_RETRY_MS, waitMs: DENIED_RETRY_MS });
