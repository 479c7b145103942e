import type { UsageEvent } from '@tollgate/domain/usage-event';

type Append = (events: readonly UsageEvent[]) => Promise<void>;

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5000;

/**
 * Appends until the event log takes the events: Envoy has handed them over, and nobody else has them. A second append of
 * events that were there already is harmless, as their ids are the same. Several may be under way; once one was refused,
 * those after it wait for it, so that the order holds. `pause` resolves early when the process closes, and then the last
 * failure is thrown.
 */
export function appendUntilDone(options: {
  append: Append;
  pause: (ms: number) => Promise<void>;
  isClosing: () => boolean;
  onFailure: (error: unknown, pauseMs: number) => void;
}): Append {
  let last: Promise<unknown> = Promise.resolve();
  let refused = 0;

  const appendAgain = async (events: readonly UsageEvent[], earlier: Promise<unknown>, failure: unknown): Promise<void> => {
    let error = failure;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      options.onFailure(error, pauseMs);
      if (options.isClosing()) throw error;
      await Promise.all([earlier, options.pause(pauseMs)]);
      try {
        return await options.append(events);
      } catch (next) {
        error = next;
      }
    }
  };
  const appendInOrder = async (events: readonly UsageEvent[], earlier: Promise<unknown>): Promise<void> => {
    if (refused > 0) await earlier;
    try {
      return await options.append(events);
    } catch (error) {
      refused += 1;
      await appendAgain(events, earlier, error).finally(() => {
        refused -= 1;
      });
    }
  };
  return (events) => {
    const appended = appendInOrder(events, last);
    last = appended.catch(() => {});
    return appended;
  };
}
