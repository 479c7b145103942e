import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from './database.js';
import { type EventPlace, readUsageEvents, type StoredUsageEvent } from './read-usage-events.js';

export interface TailOptions {
  organizationId: string;
  /** Events before it are not handed on. */
  from: Date;
  now(): number;
  /** Ends it. */
  signal: AbortSignal;
  pollMs?: number;
}

/**
 * Events become visible in another order than their times, since batches of several partitions and gateways are stored side by side.
 * What is stored later than this after a newer one is not handed on.
 */
const OVERLAP_MS = 60_000;
const POLL_MS = 1_000;
const PAGE = 1_000;
/** Beyond it what is late is no longer told from what was handed on, and so left out. */
const MAX_REMEMBERED = 200_000;

/** An organization's events as they are stored, each once, until the signal comes. Rejects where the database cannot be asked. */
export async function* tailUsageEvents(db: Sql, options: TailOptions): AsyncGenerator<StoredUsageEvent[]> {
  const { organizationId, from, now, signal, pollMs = POLL_MS } = options;
  const seen = new Map<string, number>();
  let newestMs = from.getTime();
  let floorMs = newestMs;
  while (!signal.aborted) {
    const start = new Date(Math.max(floorMs, newestMs - OVERLAP_MS));
    for await (const page of pagesFrom(db, organizationId, start, signal)) {
      const fresh = page.filter(({ eventId }) => !seen.has(eventId));
      for (const { eventId, time } of fresh) seen.set(eventId, Date.parse(time));
      if (fresh.length > 0) yield fresh;
    }
    // A clock that is ahead must not hide what comes after it.
    newestMs = [...seen.values()].reduce((newest, timeMs) => Math.max(newest, Math.min(timeMs, now())), newestMs);
    if (seen.size > MAX_REMEMBERED) floorMs = newestMs;
    const oldestMs = Math.max(floorMs, newestMs - OVERLAP_MS);
    for (const [eventId, timeMs] of seen) if (timeMs < oldestMs) seen.delete(eventId);
    await delay(pollMs, undefined, { signal }).catch(() => {});
  }
}

async function* pagesFrom(db: Sql, organizationId: string, from: Date, signal: AbortSignal): AsyncGenerator<StoredUsageEvent[]> {
  let after: EventPlace | undefined;
  while (!signal.aborted) {
    const page = await readUsageEvents(db, { organizationId, from, limit: PAGE, ...(after === undefined ? {} : { after }) });
    yield page;
    if (page.length < PAGE) return;
    after = page.at(-1);
  }
}
