export interface CounterNeeds {
  /** Entries that Envoy has given to its usage stream since it started. */
  entriesWritten(): Promise<number>;
  /** Stored requests of this gateway that ended after `fromMs` and not after `toMs`. */
  storedBetween(fromMs: number, toMs: number): Promise<number>;
  /** Rejects when the process closes. */
  pause(): Promise<void>;
  onLoss(events: number): void;
  nowMs(): number;
}

/** Looks without any change, after which what is not stored will not come by itself. */
const STILL_LOOKS = 5;

/**
 * Where there is no file log, Envoy's own counter still tells how many events there should be, though not which. Returns a
 * round that compares what was counted since the last one with what is stored of that time. An entry at the edge of a round
 * falls to either side, so only what is missing in sum is told.
 */
export function createCounterRounds(needs: CounterNeeds): () => Promise<void> {
  let last: { atMs: number; written: number } | undefined;
  let missing = 0;
  let told = 0;
  return async () => {
    const written = await needs.entriesWritten();
    // After the answer: what ends while Envoy takes its time is then stored too much, and not missing for ever.
    const now = { atMs: needs.nowMs(), written };
    // A counter that went back is that of an Envoy that was started anew.
    if (last !== undefined && now.written >= last.written) {
      const expected = now.written - last.written;
      missing += expected - (await untilStill(last.atMs, now.atMs, expected, needs));
      if (missing > told) needs.onLoss(missing - told);
      told = Math.max(told, missing);
    }
    last = now;
  };
}

async function untilStill(fromMs: number, toMs: number, expected: number, needs: CounterNeeds): Promise<number> {
  let stored = await needs.storedBetween(fromMs, toMs);
  for (let still = 0; stored < expected && still < STILL_LOOKS; ) {
    await needs.pause();
    const again = await needs.storedBetween(fromMs, toMs);
    still = again > stored ? 0 : still + 1;
    stored = again;
  }
  return stored;
}
