import type { UsageEvent } from '@tollgate/domain/usage-event';

type Append = (events: readonly UsageEvent[]) => Promise<void>;

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5000;

/**
 * Appends until the event log takes the events: Envoy has handed them over, and nobody else has them. A second append of
 * events that were there already is harmless, as their ids are the same. `pause` resolves early when the process closes,
 * and then the last failure is thrown.
 */
export function appendUntilDone(options: {
  append: Append;
  pause: (ms: number) => Promise<void>;
  isClosing: () => boolean;
  onFailure: (error: unknown, pauseMs: number) => void;
}): Append {
  return async (events) => {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      try {
        return await options.append(events);
      } catch (error) {
        options.onFailure(error, pauseMs);
        if (options.isClosing()) throw error;
        await options.pause(pauseMs);
      }
    }
  };
}
