import { randomUUID } from 'node:crypto';
import { isoMicros, type UsageEvent } from '@tollgate/domain/usage-event';
import { type StoredUsage, storeUsage } from '@tollgate/postgres/usage-store';
import { anEvent } from '../../packages/event-log/test/an-event.js';
import { openTimescale } from '../../packages/postgres/test/ledger/open-timescale.js';
import { type Fault, type Figures, type Run, sized } from '../fault.js';

const BATCH = 5_000;
const DAY_MICROS = 86_400_000_000n;
const AGES_DAYS = [10n, 35n];

export const lateIntoCompressed: Fault = {
  id: 'F18',
  title: 'late and repeated events for compressed days (TimescaleDB in this process)',
  promise: 'A batch of 5,000 is stored within a second, each event once, and no limit of decompression is met.',
  acceptance: [
    { figure: 'compressed', what: 'compressed chunks', atLeast: 1 },
    { figure: 'n', what: 'events given', atLeast: 4 * BATCH },
    { figure: 'lost', what: 'lost events', atMost: 0 },
    { figure: 'doubled', what: 'doubled events', atMost: 0 },
    { figure: 'refused', what: 'batches that the database refused', atMost: 0 },
    { figure: 'slowestMs', what: 'slowest batch, ms', atMost: 1_000, isTime: true },
  ],
  run: (run) => storeLate(run, 0n),
  mutant: {
    title: 'the time of the second telling, not of the event',
    breaks: 'doubled',
    run: (run) => storeLate(run, 1n),
  },
};

/** `shiftMicros`: how much later a repeated event says it was. */
async function storeLate(run: Run, shiftMicros: bigint): Promise<Figures> {
  const timescale = await openTimescale();
  run.onEnd(() => timescale.close());
  await timescale.migrateUp();
  const { db } = timescale;
  const organizations = Array.from({ length: 40 }, () => randomUUID());
  const today = BigInt(Date.now()) * 1000n;
  const batchOf = (first: number, ageDays: bigint, shift = 0n): UsageEvent[] =>
    Array.from({ length: BATCH }, (_, i) => ({
      ...anEvent(first + i),
      time: isoMicros(today - ageDays * DAY_MICROS + BigInt(i) * 1000n + shift),
      organization_id: organizations[i % organizations.length] ?? '',
    }));
  let told = 0;
  let refused = 0;
  let slowestMs = 0;
  const store = async (events: UsageEvent[]): Promise<void> => {
    const place = { group: 'proof', logId: randomUUID(), topic: 'usage-events', partition: 0 };
    const beganMs = performance.now();
    const batch = { ...place, startOffset: 0n, nextOffset: BigInt(events.length), events, deadLetters: [] };
    const stored: StoredUsage | undefined = await storeUsage(db, batch).catch(() => undefined);
    if (stored === undefined) refused++;
    slowestMs = Math.max(slowestMs, performance.now() - beganMs);
    told += events.length;
  };
  const rounds = sized(run, 1, 4);
  for (const age of AGES_DAYS) for (let round = 0; round < rounds; round++) await store(batchOf(firstOf(age, round), age));
  await db.query("SELECT compress_chunk(c, if_not_compressed => true) FROM show_chunks('usage_events') AS c");
  const [chunks] = await db.query<{ n: number }>(
    'SELECT count(*)::int AS n FROM timescaledb_information.chunks WHERE is_compressed',
  );
  slowestMs = 0;
  for (const age of AGES_DAYS) {
    for (let round = 0; round < rounds; round++) {
      await store(batchOf(firstOf(age, round), age, shiftMicros)); // told again
      await store(batchOf(firstOf(age, round + rounds), age)); // told late
    }
  }
  const [rows] = await db.query<{ rows: number; events: number }>(
    'SELECT count(*)::int AS rows, count(DISTINCT event_id)::int AS events FROM usage_events',
  );
  const expected = AGES_DAYS.length * 2 * rounds * BATCH;
  return {
    n: told,
    ...(rows && { lost: expected - rows.events, doubled: rows.rows - rows.events }),
    ...(chunks && { compressed: chunks.n }),
    refused,
    slowestMs,
  };
}

const firstOf = (ageDays: bigint, round: number): number => Number(ageDays) * 1_000_000 + round * BATCH;
