import type { RecordCache } from '@tollgate/cache/record-cache';
import type { KeyRecord } from '@tollgate/domain/judge-key';

/** How far what is cached may be believed: whether changes of keys still reach this process. */
export interface CacheTrust {
  isConnected(): boolean;
  /** When every change up to then had been applied, Unix milliseconds. */
  caughtUpAtMs(): number;
}

export type Lookup = 'hit' | 'miss' | 'absent' | 'stale' | 'refused';

export interface KeyCache {
  /** The key, or undefined where there is none with this hash. At once for what is known; rejects where nobody can tell. */
  find(keyHash: string, nowMs: number): KeyRecord | undefined | Promise<KeyRecord | undefined>;
}

/**
 * Looks keys up by their hash. While changes arrive, what is cached is true. While the database is unreachable, what was
 * cached before goes on for `maxStaleMs`; "unknown" is then never answered from memory, since the key may have been
 * made meanwhile.
 */
export function createKeyCache(options: {
  cache: RecordCache<KeyRecord>;
  trust: CacheTrust;
  maxStaleMs: number;
  /** Whether a key that is not in memory is worth a look-up. Asked only while changes arrive. */
  mayLookUp: (keyHash: string, nowMs: number) => boolean;
  onLookup: (result: Lookup) => void;
}): KeyCache {
  const { cache, trust, maxStaleMs, mayLookUp, onLookup } = options;

  async function load(keyHash: string, nowMs: number): Promise<KeyRecord | undefined> {
    onLookup('miss');
    try {
      return await cache.load(keyHash, nowMs);
    } catch (error) {
      const stale = staleKey(keyHash, nowMs);
      if (stale === undefined) throw error;
      return stale;
    }
  }

  function staleKey(keyHash: string, nowMs: number): KeyRecord | undefined {
    if (nowMs - trust.caughtUpAtMs() > maxStaleMs) return undefined;
    const stale = cache.getStale(keyHash);
    if (stale !== undefined) onLookup('stale');
    return stale;
  }

  return {
    find(keyHash, nowMs) {
      if (!trust.isConnected()) return staleKey(keyHash, nowMs) ?? load(keyHash, nowMs);
      const hit = cache.get(keyHash, nowMs);
      if (hit !== undefined) {
        onLookup('hit');
        return hit;
      }
      if (cache.isKnownAbsent(keyHash, nowMs)) {
        onLookup('absent');
        return undefined;
      }
      if (!mayLookUp(keyHash, nowMs)) {
        // Not remembered as absent: nobody has looked.
        onLookup('refused');
        return undefined;
      }
      return load(keyHash, nowMs);
    },
  };
}
