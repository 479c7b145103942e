import type { LedgerSubject } from './ledger-subject.js';
import { openTimescale, type Timescale } from './open-timescale.js';

let opened: Promise<Timescale> | undefined;

/** On TimescaleDB, emptied: to start one for each promise would be nearly all of the time. */
export async function timescaleLedger(): Promise<LedgerSubject> {
  opened ??= openMigrated();
  const { db } = await opened;
  const refresh = async () => {
    await db.query("CALL refresh_continuous_aggregate('usage_daily', NULL, NULL)");
    await db.query("CALL refresh_continuous_aggregate('usage_monthly', NULL, NULL)");
  };
  await db.query('TRUNCATE usage_events, usage_hourly, usage_dead_letters, consumer_offsets');
  await db.query("UPDATE usage_raw_horizon SET dropped_before = '-infinity'");
  await refresh();
  return {
    db,
    refresh,
    compress: async () => {
      await db.query("SELECT compress_chunk(c, if_not_compressed => true) FROM show_chunks('usage_events') AS c");
    },
    close: async () => {},
  };
}

export async function closeTimescale(): Promise<void> {
  await (await opened)?.close();
  opened = undefined;
}

async function openMigrated(): Promise<Timescale> {
  const timescale = await openTimescale();
  await timescale.migrateUp();
  return timescale;
}
