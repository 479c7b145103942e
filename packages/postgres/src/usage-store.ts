import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { Database, Sql } from './database.js';
import { type DeadLetter, insertDeadLetters } from './dead-letters.js';
import { isRefusal } from './errors.js';
import { insertAcceptableUsage } from './insert-acceptable-usage.js';
import { createUsagePartitions, insertUsage } from './insert-usage.js';

/** What the writer stores at a time: what it made of the records `[startOffset, nextOffset)` of one partition of a log. */
export interface UsageBatch {
  /** Readers of one group share the work, and each group reads everything. */
  group: string;
  logId: string;
  topic: string;
  partition: number;
  startOffset: bigint;
  nextOffset: bigint;
  /** Valid events, not older than 89 days. */
  events: readonly UsageEvent[];
  /**
   * What each of the events was read from, in their order: one that PostgreSQL refuses, though it was judged valid, becomes a dead
   * letter. Without them a refused event fails its batch.
   */
  sources?: readonly Omit<DeadLetter, 'reason'>[];
  deadLetters: readonly DeadLetter[];
}

export interface StoredUsage {
  inserted: number;
  /** Events that were stored before, or stood twice in the batch. */
  duplicates: number;
  deadLettered: number;
  /** The dead letters of those events that PostgreSQL refused. */
  refused: readonly DeadLetter[];
}

/** Someone else has stored these records, or later ones. Read on from the database's offset. */
export class StaleOwner extends Error {
  override readonly name = 'StaleOwner';
}

const RAW_DAYS = 90;

/** Where reading goes on, or undefined for a log that this group never read. */
export async function findOffset(
  db: Sql,
  place: Pick<UsageBatch, 'group' | 'logId' | 'topic' | 'partition'>,
): Promise<bigint | undefined> {
  const [row] = await db.query<{ next_offset: string }>(
    'SELECT next_offset FROM consumer_offsets WHERE group_id = $1 AND log_id = $2 AND topic = $3 AND partition = $4',
    [place.group, place.logId, place.topic, place.partition],
  );
  return row && BigInt(row.next_offset);
}

/**
 * Stores a batch in one transaction, so that rows and offset become true together. Throws {@link StaleOwner}, and then
 * keeps nothing. A batch that is stored again after its answer was lost meets the offset; the same events under
 * another offset meet their own rows. Neither counts twice. Missing partitions are made before, on their own.
 *
 * An event that PostgreSQL refuses is searched for and becomes a dead letter, as the same batch would be refused for ever. Any
 * other failure rejects: of a database that is away, full, or torn between two writers, the next try may succeed.
 */
export async function storeUsage(db: Database, batch: UsageBatch): Promise<StoredUsage> {
  try {
    await createUsagePartitions(db, batch.events);
    return await db.transaction(async (tx) => {
      await claimOffset(tx, batch);
      return storedUsage(tx, batch, await insertUsage(tx, batch.events), []);
    });
  } catch (error) {
    const { sources } = batch;
    if (!isRefusal(error) || sources === undefined) throw error;
    return db.transaction((tx) => storeAcceptable(tx, batch, sources));
  }
}

async function storeAcceptable(tx: Sql, batch: UsageBatch, sources: readonly Omit<DeadLetter, 'reason'>[]): Promise<StoredUsage> {
  await claimOffset(tx, batch);
  const { inserted, refused } = await insertAcceptableUsage(tx, batch.events);
  const letters = refused.map(({ index, reason }) => {
    const source = sources[index];
    if (source === undefined) throw new RangeError('there are more events than sources of events');
    return { ...source, reason };
  });
  return storedUsage(tx, batch, inserted, letters);
}

async function storedUsage(tx: Sql, batch: UsageBatch, inserted: number, refused: readonly DeadLetter[]): Promise<StoredUsage> {
  const deadLettered = await insertDeadLetters(tx, batch, [...batch.deadLetters, ...refused]);
  return { inserted, duplicates: batch.events.length - refused.length - inserted, deadLettered, refused };
}

/** Drops raw events whose whole day is more than 90 days ago; aggregates stay. Returns how many days it dropped. */
export async function dropOldUsage(db: Sql, now: Date): Promise<number> {
  return db.transaction(async (tx) => {
    // Dropping locks the whole table: rather try again later than let every writer and reader queue behind us.
    await tx.query("SET LOCAL lock_timeout = '2s'");
    const [row] = await tx.query<{ dropped: number }>(
      "SELECT drop_usage_partitions(($1::timestamptz AT TIME ZONE 'UTC')::date - $2::int) AS dropped",
      [now, RAW_DAYS],
    );
    return row?.dropped ?? 0;
  });
}

/**
 * The fence that exactly once rests on: moves the offset of these records, in the transaction of their rows. Throws
 * StaleOwner where somebody has stored them, or later ones. Says on the way what holds for this transaction: old events that come again
 * may have to look into many compressed rows, more than TimescaleDB allows unless told (0: any number).
 */
async function claimOffset(tx: Sql, batch: UsageBatch): Promise<void> {
  if (batch.nextOffset < batch.startOffset) throw new RangeError('a batch cannot end before it begins');
  const rows = await tx.query(
    `INSERT INTO consumer_offsets AS o (group_id, log_id, topic, partition, next_offset) VALUES ($1, $2, $3, $4, $6)
     ON CONFLICT (group_id, log_id, topic, partition) DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()
     WHERE o.next_offset <= $5
     RETURNING set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true) AS claimed`,
    [batch.group, batch.logId, batch.topic, batch.partition, batch.startOffset.toString(), batch.nextOffset.toString()],
  );
  if (rows.length === 0) throw new StaleOwner(`the records from ${batch.startOffset} on were stored by another owner`);
}
