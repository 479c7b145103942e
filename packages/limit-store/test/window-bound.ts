/** What a caller got through, and when, by the store's clock in milliseconds. */
export interface Passed {
  atMs: number;
  cost: number;
}

/** The largest excess over `burst + rate × time` in any window between two passes; at most 0 keeps the promise. */
export function worstExcess(passed: readonly Passed[], perMinute: number, burst: number, clockStepMs = 0): number {
  let worst = Number.NEGATIVE_INFINITY;
  for (let first = 0; first < passed.length; first++) {
    let total = 0;
    for (const { atMs, cost } of passed.slice(first)) {
      total += cost;
      const windowMs = atMs - (passed[first] as Passed).atMs + clockStepMs;
      worst = Math.max(worst, total - burst - (windowMs * perMinute) / 60_000);
    }
  }
  return worst;
}
