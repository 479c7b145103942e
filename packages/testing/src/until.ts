import { setTimeout as delay } from 'node:timers/promises';

const LOOK_AGAIN_MS = 10;

/**
 * Waits until `condition` returns something that is neither `false` nor `undefined`, and returns that.
 * A condition that throws counts as not yet; its error is the cause when the deadline passes.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  deadlineMs = 10_000,
  what = 'the condition',
): Promise<Exclude<T, false | undefined>> {
  const endMs = Date.now() + deadlineMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (Date.now() >= endMs) throw new Error(`${what} did not come true within ${deadlineMs} ms`, { cause });
    await delay(LOOK_AGAIN_MS);
  }
}
