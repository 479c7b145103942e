import { checkTakeRequest } from '../check-take-request.js';
import {
  isEnforced,
  type LimitState,
  type LimitStore,
  type StoreLimit,
  type TakeRequest,
  type TakeResult,
} from '../limit-store.js';
import { type Bucket, bucketState, bucketWaitMs, isBucketAstray, refilled, takeFromBucket } from './bucket.js';
import { createCounts, type Entry } from './counts.js';
import { currentCounter, isCounterAstray, type QuotaCounter, type QuotaLimit, quotaState, quotaWaitMs } from './quota-counter.js';
import { openQuotaFile, type QuotaFileOptions } from './quota-file.js';
import { steadyClock } from './steady-clock.js';

export interface MemoryLimitStoreOptions {
  /** Unix milliseconds, a fraction counts. Default: the monotonic clock, held to the wall clock. */
  now?: () => number;
  /** Buckets and quota counters together; see `createCounts` for what gives way. Default 100,000 (some 20 MB). */
  maxEntries?: number;
  /** Where quotas (not buckets and windows, most of which are over within minutes) outlive the process. Default: nowhere. */
  quotas?: QuotaFileOptions;
}

const MAX_ENTRIES = 100_000;

/**
 * Counts in this process, by the rules of redis/take.lua. With `quotas` a killed process forgets what was taken of them in
 * the last interval, a closed one nothing. Throws where the folder of `quotas` cannot be used.
 */
export function createMemoryLimitStore(options: MemoryLimitStoreOptions = {}): LimitStore {
  const now = options.now ?? steadyClock();
  const counts = createCounts(options.maxEntries ?? MAX_ENTRIES);
  const file = options.quotas && openQuotaFile(options.quotas);
  for (const [key, counter] of file?.load() ?? []) counts.keep(key, counterEntry('quota', counter), now());
  file?.saveRegularly(() => quotaCounters(counts.all(), now()));

  const take = (request: TakeRequest): TakeResult => {
    checkTakeRequest(request);
    const nowUs = Math.floor(now() * 1000);
    const looks = request.limits.map((limit) => {
      const key = stateKey(request.organizationId, limit.id);
      return look(key, counts.find(key), limit, request.cost, nowUs);
    });
    const isAllowed = looks.every((each) => each.waitMs === 0 || !isEnforced(each.limit));
    const fitsShadows = looks.every((each) => each.waitMs === 0);
    const nowMs = Math.floor(nowUs / 1000);
    const states = looks.map((each) => {
      const taken = takenFrom(each, request.cost, isAllowed, fitsShadows);
      const state = settle(each, taken);
      if (each.mustBeKept || taken > 0) {
        counts.keep(
          each.key,
          each.kind === 'rate' ? bucketEntry(each.bucket, state) : counterEntry(each.kind, each.counter),
          nowMs,
        );
        if (each.kind === 'quota') file?.changed();
      }
      return state;
    });
    return { isAllowed, states, nowMs };
  };

  return {
    take: async (request) => take(request),
    async reset(organizationId, limitIds) {
      for (const id of limitIds) counts.drop(stateKey(organizationId, id));
      file?.changed();
    },
    ping: async () => {},
    close: async () => file?.close(),
  };
}

const stateKey = (organizationId: string, limitId: string): string => `{${organizationId}}:${limitId}`;

/** How a limit stands before the take. `mustBeKept` even where nothing is taken: the clock had been wrong, see take.lua. */
type Look = { key: string; waitMs: number; mustBeKept: boolean } & (
  | { kind: 'rate'; limit: Extract<StoreLimit, { kind: 'rate' }>; bucket: Bucket }
  | { kind: 'quota' | 'window'; limit: QuotaLimit; counter: QuotaCounter }
);

function look(key: string, saved: Entry | undefined, limit: StoreLimit, cost: number, nowUs: number): Look {
  if (limit.kind === 'rate') {
    const old = saved?.kind === 'rate' ? saved.bucket : undefined;
    const bucket = refilled(old, limit, nowUs);
    const mustBeKept = old !== undefined && isBucketAstray(old, nowUs);
    return { kind: 'rate', key, limit, bucket, mustBeKept, waitMs: bucketWaitMs(bucket, limit, cost, nowUs) };
  }
  const old = saved !== undefined && saved.kind !== 'rate' && saved.kind === limit.kind ? saved.counter : undefined;
  const nowMs = Math.floor(nowUs / 1000);
  const counter = currentCounter(old, limit, nowMs);
  const mustBeKept = old !== undefined && isCounterAstray(old, nowMs);
  return { kind: limit.kind, key, limit, counter, mustBeKept, waitMs: quotaWaitMs(counter, limit, cost, nowUs) };
}

/** A window counts what is denied too; a limit in shadow counts where every limit fits. */
function takenFrom({ kind, limit }: Look, cost: number, isAllowed: boolean, fitsShadows: boolean): number {
  return kind === 'window' || (isAllowed && (fitsShadows || isEnforced(limit))) ? cost : 0;
}

function settle(look: Look, taken: number): LimitState {
  if (look.kind === 'rate') {
    takeFromBucket(look.bucket, taken);
    return bucketState(look.bucket, look.limit, look.waitMs);
  }
  look.counter.used += taken;
  return quotaState(look.counter, look.limit, look.waitMs);
}

const bucketEntry = (bucket: Bucket, state: LimitState): Entry => ({ kind: 'rate', bucket, idleAtMs: state.resetAtMs });
const counterEntry = (kind: 'quota' | 'window', counter: QuotaCounter): Entry => ({ kind, counter, idleAtMs: counter.endMs });

function quotaCounters(entries: Iterable<[string, Entry]>, nowMs: number): [string, QuotaCounter][] {
  const counters: [string, QuotaCounter][] = [];
  for (const [key, entry] of entries) if (entry.kind === 'quota' && entry.idleAtMs > nowMs) counters.push([key, entry.counter]);
  return counters;
}
