export type FixedClock = { now(): number; advance(ms: number): void };

/** A clock that stands still until a test moves it. Times are Unix milliseconds. */
export function fixedClock(startMs: number = Date.UTC(2026, 0, 15, 12)): FixedClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}
