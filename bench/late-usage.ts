/**
 * What late events cost where their days are compressed already, in batches of 5,000: new ones and ones that are stored already, of
 * one hour (a gateway whose log was found again) and of ten days (a replay). The days are compressed anew before each batch.
 */
import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { Database } from '@tollgate/postgres/database';
import { anEventAt } from './made-events.js';

const BATCH = 5_000;
const REPEATS = 5;
const DAYS = 10;
const EVENTS_A_DAY = 50_000;
const DAY_MICROS = 86_400_000_000n;
const GAP_MICROS = DAY_MICROS / BigInt(EVENTS_A_DAY);
/** Younger days are not compressed. */
const OLDEST_MICROS = BigInt(Math.floor(Date.now() / 86_400_000) - 9 - DAYS) * DAY_MICROS;

export interface Late {
  what: string;
  /** One for each batch. */
  tookMs: number[];
}

/** Stores a batch, and tells how many of it were new. */
type Store = (events: readonly UsageEvent[]) => Promise<number>;

export async function lateUsage(db: Database, store: Store): Promise<Late[]> {
  const stored: UsageEvent[] = [];
  for (let first = 0; first < DAYS * EVENTS_A_DAY; first += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, i) => anEventAt(OLDEST_MICROS + BigInt(first + i) * GAP_MICROS));
    await store(batch);
    stored.push(...batch);
  }
  const ofTenDays = (_: unknown, i: number) => stored[i * (stored.length / BATCH)] as UsageEvent;
  const ofOneHour = (_: unknown, i: number) => stored[i % Math.floor(EVENTS_A_DAY / 24)] as UsageEvent;
  const anew = (event: UsageEvent) => anEventAt(BigInt(Date.parse(event.time)) * 1000n + BigInt(Math.floor(Math.random() * 1e6)));
  const cases: [string, typeof ofTenDays, isNew: boolean][] = [
    ['new, of one hour', ofOneHour, true],
    ['new, of ten days', ofTenDays, true],
    ['stored already, of one hour', ofOneHour, false],
    ['stored already, of ten days', ofTenDays, false],
  ];
  const done: Late[] = [];
  for (const [what, pick, isNew] of cases) {
    const tookMs: number[] = [];
    for (let i = 0; i < REPEATS; i++) {
      await db.query("SELECT compress_chunk(c) FROM show_chunks('usage_events', older_than => INTERVAL '7 days') AS c");
      const batch = Array.from({ length: BATCH }, pick).map((event) => (isNew ? anew(event) : event));
      const startMs = performance.now();
      const inserted = await store(batch);
      tookMs.push(performance.now() - startMs);
      if (inserted !== (isNew ? BATCH : 0)) throw new Error(`${what}: ${inserted} of ${BATCH} events were new`);
    }
    done.push({ what, tookMs });
  }
  return done;
}
