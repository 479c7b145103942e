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
  all(): Iterable<[string, Entry]>;
}

interface Held {
  entry: Entry;
  /** A later use has a higher number. */
  usedAt: number;
}

const ROOM_AFTER_SWEEP = 0.9;

/**
 * At most `maxEntries` entries. Where one more does not fit, the idle ones go; then, if that made too little room, those
 * used longest ago, whether they count or not: such a caller finds a full bucket and an unused quota. A tenth of the room
 * is made at once, so that a sweep is rare. Uses are numbered: a Map whose keys are put last at each use costs more, and
 * what it gives up stays long in memory (decision 42).
 */
export function createCounts(maxEntries: number): Counts {
  const entries = new Map<string, Held>();
  let uses = 0;

  const sweep = (nowMs: number): void => {
    for (const [key, { entry }] of entries) if (entry.idleAtMs <= nowMs) entries.delete(key);
    const surplus = entries.size - Math.floor(maxEntries * ROOM_AFTER_SWEEP);
    if (surplus <= 0) return;
    const lastUse = Float64Array.from(entries.values(), ({ usedAt }) => usedAt).sort()[surplus - 1] as number;
    for (const [key, { usedAt }] of entries) if (usedAt <= lastUse) entries.delete(key);
  };
  const find = (key: string): Held | undefined => {
    const held = entries.get(key);
    if (held !== undefined) held.usedAt = ++uses;
    return held;
  };

  return {
    find: (key) => find(key)?.entry,
    keep(key, entry, nowMs) {
      const held = find(key);
      if (held !== undefined) {
        held.entry = entry;
        return;
      }
      if (entries.size >= maxEntries) sweep(nowMs);
      entries.set(key, { entry, usedAt: ++uses });
    },
    drop: (key) => void entries.delete(key),
    *all() {
      for (const [key, { entry }] of entries) yield [key, entry];
    },
  };
}
