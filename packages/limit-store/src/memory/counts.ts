import type { Bucket } from './bucket.js';
import type { QuotaCounter } from './quota-counter.js';

/** `idleAtMs`: from then on the entry says no more than its absence does (a full bucket, a period that ended). */
export type Entry = { idleAtMs: number } & (
  | { kind: 'rate'; bucket: Bucket }
  | { kind: 'quota' | 'window'; counter: QuotaCounter }
);

export interface Counts {
  /** The entry of this key, now the most recently used. */
  find(key: string): Entry | undefined;
  keep(key: string, entry: Entry, nowMs: number): void;
  drop(key: string): void;
  all(): IterableIterator<[string, Entry]>;
}

const ROOM_AFTER_SWEEP = 0.9;

/**
 * At most `maxEntries` entries. Where one more does not fit, the idle ones go; then, if that made too little room, those
 * used longest ago, whether they count or not: such a caller finds a full bucket and an unused quota. A tenth of the room
 * is made at once, so that a sweep is rare.
 */
export function createCounts(maxEntries: number): Counts {
  const entries = new Map<string, Entry>(); // oldest use first

  const sweep = (nowMs: number): void => {
    for (const [key, entry] of entries) if (entry.idleAtMs <= nowMs) entries.delete(key);
    const room = Math.floor(maxEntries * ROOM_AFTER_SWEEP);
    for (const key of entries.keys()) {
      if (entries.size <= room) break;
      entries.delete(key);
    }
  };

  return {
    find(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry;
    },
    keep(key, entry, nowMs) {
      if (entries.size >= maxEntries && !entries.has(key)) sweep(nowMs);
      entries.set(key, entry);
    },
    drop: (key) => void entries.delete(key),
    all: () => entries.entries(),
  };
}
