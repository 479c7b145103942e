/**
 * Which keys exist at all, by fingerprints of their hashes: the checksum of a key is public, so a scanner gets past it, and
 * must not get to the database. Read page by page at each reload, and kept up by changes. A key that is gone stays in
 * until the next reload: that costs a look-up, no more.
 */
import { createFingerprintSet, type FingerprintSet } from '@tollgate/domain/fingerprint-set';

export interface KnownKeys {
  /** Whether there is such a key; undefined while nobody can tell, since the keys are being read. */
  has(keyHash: string): boolean | undefined;
  add(keyHash: string): void;
  /** Reads all keys anew, in the background, and again until that succeeds. What is known meanwhile stays known. */
  reload(): void;
  size(): number;
  /** Ends the reading. */
  close(): void;
}

export interface KnownKeysOptions {
  /** The hashes after this one in their order, at most `limit`; '' begins. What it rejects with is retried. */
  listHashes: (afterHash: string, limit: number) => Promise<string[]>;
  /** Waits before the next attempt, after a failure or when another reload came in between. */
  pause: () => Promise<void>;
  onError: (error: unknown) => void;
  pageHashes?: number;
}

const PAGE_HASHES = 5_000;

/** Knows nothing until the first {@link KnownKeys.reload}, which the change feed orders before any other change. */
export function createKnownKeys({ listHashes, pause, onError, pageHashes = PAGE_HASHES }: KnownKeysOptions): KnownKeys {
  let known = createFingerprintSet();
  let isComplete = false;
  /** The set that is being filled. Changes go into both, as the page that would hold them may have been read before. */
  let next: FingerprintSet | undefined;
  let isReading = false;
  let isClosed = false;

  /** Fills a new set; gives up where another reload came in between, whose keys the pages before it may lack. */
  async function readAll(): Promise<void> {
    const filling = createFingerprintSet();
    next = filling;
    let afterHash = '';
    for (;;) {
      const page = await listHashes(afterHash, pageHashes);
      if (isClosed || next !== filling) return;
      for (const hash of page) filling.add(hash);
      if (page.length < pageHashes) break;
      afterHash = page.at(-1) ?? '';
    }
    known = filling;
    next = undefined;
    isComplete = true;
  }

  async function readUntilDone(): Promise<void> {
    isReading = true;
    while (!isClosed && !isComplete) {
      await readAll().catch((error: unknown) => {
        if (!isClosed) onError(error);
      });
      // Also where another reload came in between: an import orders one after the other, and to begin anew at each would
      // read the same pages again and again.
      if (!isClosed && !isComplete) await pause();
    }
    isReading = false;
  }

  return {
    has(keyHash) {
      if (known.has(keyHash) || next?.has(keyHash) === true) return true;
      return isComplete ? false : undefined;
    },
    add(keyHash) {
      known.add(keyHash);
      next?.add(keyHash);
    },
    reload() {
      isComplete = false;
      next = undefined;
      if (!isReading) void readUntilDone();
    },
    size: () => known.size(),
    close() {
      isClosed = true;
    },
  };
}
