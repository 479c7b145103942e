import type { Place } from './places.js';
import { requireInRange } from './range.js';
import { FIRST_PAUSE_MS, type ReadingNeeds } from './reading-needs.js';

/**
 * Finds where to read each partition: at the offset that the database holds for this very log, else from its beginning.
 * Undefined where `isCurrent` turned false meanwhile. Throws OffsetOutOfRange, and whatever Kafka says.
 */
export async function takePlaces(
  needs: ReadingNeeds,
  partitions: readonly number[],
  isCurrent: () => boolean,
): Promise<{ logId: string; places: Place[] } | undefined> {
  const { id: logId } = await needs.questions.facts();
  const places: Place[] = [];
  for (const partition of partitions) {
    const stored = await findStored(needs, logId, partition, isCurrent);
    if (!isCurrent()) return undefined;
    places.push({ partition, position: stored ?? -1n, high: 0n, pauseMs: FIRST_PAUSE_MS });
  }
  // Asked after the database: what it holds was in the log before.
  const ranges = await needs.questions.ranges();
  for (const place of places) {
    const range = ranges.get(place.partition);
    if (place.position === -1n) place.position = range?.low ?? 0n;
    else await requireInRange(needs, { logId, partition: place.partition, offset: place.position }, range);
    place.high = range?.high ?? place.position;
  }
  return isCurrent() ? { logId, places } : undefined;
}

/** Asks until the database answers, or until nobody wants to know. */
export async function findStored(
  { settings, rest, findOffset }: ReadingNeeds,
  logId: string,
  partition: number,
  isCurrent: () => boolean,
): Promise<bigint | undefined> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, settings.maxPauseMs)) {
    try {
      return await findOffset(logId, settings.topic, partition);
    } catch (error) {
      settings.onProblem(`where to read on is asked again in ${pauseMs} ms`, error);
      await rest(pauseMs);
      if (!isCurrent()) return undefined;
    }
  }
}
