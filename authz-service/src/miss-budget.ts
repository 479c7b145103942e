/** How many look-ups may be spent on keys that are probably none. Times are Unix milliseconds. */
export interface MissBudget {
  /** Takes one look-up, or says that there is none left. */
  take(nowMs: number): boolean;
}

/** Never more than `burst + perSecond` look-ups in any second. Starts full; a clock that goes back gives nothing and takes nothing. */
export function createMissBudget({ perSecond, burst }: { perSecond: number; burst: number }): MissBudget {
  let left = burst;
  let atMs: number | undefined;
  return {
    take(nowMs) {
      left = Math.min(burst, left + (Math.max(0, nowMs - (atMs ?? nowMs)) * perSecond) / 1000);
      atMs = nowMs;
      if (left < 1) return false;
      left--;
      return true;
    },
  };
}
