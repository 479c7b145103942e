/** Refuses work that would only make all other work late. */

export interface LoadShedderOptions {
  /** Calls in work at once. */
  maxInFlight: number;
  /** How late the event loop may be. */
  maxDelayMs: number;
  /** For how long it may be later than that: a burst that is worked off by then is no overload. */
  maxLateMs: number;
  /** The clock of `tryEnter`'s argument: monotonic milliseconds. */
  now?: () => number;
}

export interface LoadShedder {
  /** Whether `tryEnter` would let a call in. */
  hasRoom(nowMs: number): boolean;
  /** Whether there is room for one more call. Who was let in calls `leave` once. `nowMs` is monotonic (`performance.now()`). */
  tryEnter(nowMs: number): boolean;
  leave(): void;
  close(): void;
}

/** How often the event loop shows that it comes round. Finer costs more, coarser notices later. */
const ROUND_MS = 10;

/**
 * Sheds beyond `maxInFlight`, and while the event loop is overloaded: when each round since `maxLateMs` was overdue by more than
 * `maxDelayMs`, what comes later than that in a round is shed. So a burst or a garbage collection sheds nothing, and the
 * first round in time ends the shedding.
 *
 * Node's own `monitorEventLoopDelay` tells of a delay only when it is over, and of the worst one until it is reset; here
 * the round under way counts, and a call pays for one comparison.
 */
export function createLoadShedder(options: LoadShedderOptions): LoadShedder {
  const { maxInFlight, maxDelayMs, maxLateMs, now = () => performance.now() } = options;
  const maxRoundMs = ROUND_MS + maxDelayMs;
  let inFlight = 0;
  let roundStartedMs = now();
  /** When the round began after which none was in time. */
  let lateSinceMs = roundStartedMs;
  const timer = setInterval(() => {
    const nowMs = now();
    if (nowMs - roundStartedMs <= maxRoundMs) lateSinceMs = nowMs;
    roundStartedMs = nowMs;
  }, ROUND_MS);
  timer.unref();

  const hasRoom = (nowMs: number): boolean => {
    if (inFlight >= maxInFlight) return false;
    // A round that began in time and is long is one pause, however long.
    return roundStartedMs <= lateSinceMs || nowMs - roundStartedMs <= maxRoundMs || nowMs - lateSinceMs <= maxLateMs;
  };

  return {
    hasRoom,
    tryEnter(nowMs) {
      if (!hasRoom(nowMs)) return false;
      inFlight++;
      return true;
    },
    leave() {
      inFlight--;
    },
    close: () => clearInterval(timer),
  };
}
