/**
 * Records by key, read through from where they live. Bounded, without timers, and strict about drops: an answer that may
 * have been read before a drop is never kept after it.
 */
import { LRUCache } from 'lru-cache';

export interface RecordCacheOptions<Value> {
  /** Records kept; the least recently used goes first. */
  max: number;
  /** Age at which a record is no longer answered by `get`. It stays for `getStale` until it is replaced or pushed out. */
  ttlMs: number;
  /** How long before its end a record that is asked for is read again in the background. 0 never does. */
  refreshAheadMs: number;
  /** Absent keys remembered. They live apart, so that a scan of made-up keys pushes out no record. */
  negativeMax: number;
  /** Short: a key that is absent today may exist in a second. */
  negativeTtlMs: number;
  /** Loads in flight at once, forgotten ones included. Refreshes take at most half, so that misses find room. */
  maxLoads: number;
  /** Reads one record; undefined where there is none. It must settle: its deadline is its own. */
  load: (key: string) => Promise<Value | undefined>;
  onRefreshError?: (error: unknown) => void;
}

/** Times are Unix milliseconds. */
export interface RecordCache<Value> {
  /** The record, where it is held and younger than its ttl. Starts a refresh in the background when its end is near. */
  get(key: string, nowMs: number): Value | undefined;
  /** The last known record however old, for when its source is down. How old is too old is the caller's to say. */
  getStale(key: string): Value | undefined;
  /** Whether a load has just found that there is no such record. */
  isKnownAbsent(key: string, nowMs: number): boolean;
  /**
   * Reads the record and remembers it, or its absence. Callers of one key share one load. Rejects as the load did, which
   * is never remembered, or with CacheBusy at once when too many loads are in flight.
   */
  load(key: string, nowMs: number): Promise<Value | undefined>;
  /** Forgets what is known of this key; a load in flight answers those who wait for it and is not kept. */
  drop(key: string): void;
  /** Forgets these records, and every load in flight, whose record nobody can know yet. Absences stay. */
  dropWhere(isConcerned: (value: Value, key: string) => boolean): void;
  clear(): void;
  /**
   * For records that may be out of date and are still better than none: they are read again at their next use, and `getStale`
   * answers with them while that fails. Without a key all of them. Loads in flight are not kept, absences are forgotten.
   */
  expire(key?: string): void;
  /** Records held, old ones included. */
  size(): number;
}

/** Too many loads are in flight; this one was not begun. */
export class CacheBusy extends Error {
  override readonly name = 'CacheBusy';
}

interface Entry<Value> {
  value: Value;
  expiresAtMs: number;
  refreshAtMs: number;
}

/** After a failed refresh, so that a source in trouble is not asked again at every hit. */
const REFRESH_RETRY_MS = 1000;

/** Makes an empty cache. Throws RangeError for a bound that is no positive whole number. */
export function createRecordCache<Value>(options: RecordCacheOptions<Value>): RecordCache<Value> {
  const { ttlMs, refreshAheadMs, negativeTtlMs, maxLoads, onRefreshError } = options;
  const entries = new LRUCache<string, Entry<Value>>({ max: bound('max', options.max) });
  const absences = new LRUCache<string, number>({ max: bound('negativeMax', options.negativeMax) });
  bound('maxLoads', maxLoads);

  /** The loads that newcomers may join and whose answers are kept. A drop takes them out; `running` still counts them. */
  const flights = new Map<string, Promise<Value | undefined>>();
  let running = 0;

  function load(key: string, nowMs: number): Promise<Value | undefined> {
    const joined = flights.get(key);
    if (joined !== undefined) return joined;
    if (running >= maxLoads) return Promise.reject(new CacheBusy(`${running} loads are in flight`));
    running++;
    const flight: Promise<Value | undefined> = read(key).then(
      (value) => {
        if (land(key, flight)) keep(key, value, nowMs);
        return value;
      },
      (error: unknown) => {
        land(key, flight);
        throw error;
      },
    );
    flights.set(key, flight);
    return flight;
  }

  /** A load that throws where it should reject must not leave its place in the count behind. */
  async function read(key: string): Promise<Value | undefined> {
    return options.load(key);
  }

  /** Ends a flight; false where a drop has taken it out meanwhile. */
  function land(key: string, flight: Promise<Value | undefined>): boolean {
    running--;
    return flights.get(key) === flight && flights.delete(key);
  }

  /** The age counts from before the read, so that a slow one makes no record look younger than it is. */
  function keep(key: string, value: Value | undefined, readAtMs: number): void {
    if (value === undefined) {
      entries.delete(key);
      absences.set(key, readAtMs + negativeTtlMs);
      return;
    }
    absences.delete(key);
    const expiresAtMs = readAtMs + ttlMs;
    entries.set(key, { value, expiresAtMs, refreshAtMs: refreshAheadMs > 0 ? expiresAtMs - refreshAheadMs : expiresAtMs });
  }

  function refresh(key: string, entry: Entry<Value>, nowMs: number): void {
    if (flights.has(key) || running >= maxLoads / 2) return;
    load(key, nowMs).catch((error: unknown) => {
      entry.refreshAtMs = nowMs + REFRESH_RETRY_MS;
      onRefreshError?.(error);
    });
  }

  return {
    load,
    get(key, nowMs) {
      const entry = entries.get(key);
      if (entry === undefined || nowMs >= entry.expiresAtMs) return undefined;
      if (nowMs >= entry.refreshAtMs) refresh(key, entry, nowMs);
      return entry.value;
    },
    getStale: (key) => entries.get(key)?.value,
    isKnownAbsent(key, nowMs) {
      const endsAtMs = absences.get(key);
      return endsAtMs !== undefined && nowMs < endsAtMs;
    },
    drop(key) {
      flights.delete(key);
      entries.delete(key);
      absences.delete(key);
    },
    dropWhere(isConcerned) {
      flights.clear();
      // Collected first: the predicate runs over a list that does not change under it.
      const concerned = [...entries.entries()].filter(([key, entry]) => isConcerned(entry.value, key));
      for (const [key] of concerned) entries.delete(key);
    },
    clear() {
      flights.clear();
      entries.clear();
      absences.clear();
    },
    expire(key) {
      if (key === undefined) {
        flights.clear();
        absences.clear();
        entries.forEach((entry) => {
          entry.expiresAtMs = 0;
        });
        return;
      }
      flights.delete(key);
      absences.delete(key);
      const entry = entries.peek(key);
      if (entry !== undefined) entry.expiresAtMs = 0;
    },
    size: () => entries.size,
  };
}

function bound(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new RangeError(`${name} must be a positive whole number, not ${value}`);
}
