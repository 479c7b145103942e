const MAX_DRIFT_MS = 1_000;

/**
 * Unix milliseconds with a fraction, from the monotonic clock, so that small corrections of the wall clock neither stop nor
 * repeat a refill. After a step of more than a second (a suspended laptop, a clock set by hand) it follows the wall clock,
 * or days would end at the wrong moment.
 */
export function steadyClock(monotonicMs = () => performance.now(), wallMs = () => Date.now()): () => number {
  let offsetMs = wallMs() - monotonicMs();
  return () => {
    const nowMs = monotonicMs() + offsetMs;
    const driftMs = wallMs() - nowMs;
    if (Math.abs(driftMs) <= MAX_DRIFT_MS) return nowMs;
    offsetMs += driftMs;
    return nowMs + driftMs;
  };
}
