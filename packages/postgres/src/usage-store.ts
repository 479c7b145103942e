import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { Database, Sql } from './database.js';
import { type DeadLetter, insertDeadLetters } from './dead-letters.js';

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
  deadLetters: readonly DeadLetter[];
}

export interface StoredUsage {
  inserted: number;
  /** Events that were stored before, or stood twice in the batch. */
  duplicates: number;
  deadLettered: number;
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
 */
export async function storeUsage(db: Database, batch: UsageBatch): Promise<StoredUsage> {
  await createUsagePartitions(
    db,
    batch.events.map(({ time }) => time.slice(0, 10)),
  );
  return db.transaction(async (tx) => {
    await claimOffset(tx, batch);
    const inserted = batch.events.length === 0 ? 0 : await insertOnce(tx, batch.events);
    const deadLettered = await insertDeadLetters(tx, batch, batch.deadLetters);
    return { inserted, duplicates: batch.events.length - inserted, deadLettered };
  });
}

/**
 * Makes the partitions that these UTC days (`2026-11-23`) lack; returns how many. In a transaction of its own, and a short
 * one, since others who need the same day wait for it.
 */
export async function createUsagePartitions(db: Sql, days: readonly string[]): Promise<number> {
  if (days.length === 0) return 0;
  const [row] = await db.query<{ made: number }>('SELECT create_usage_partitions($1::date[]) AS made', [[...new Set(days)]]);
  return row?.made ?? 0;
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

async function claimOffset(tx: Sql, batch: UsageBatch): Promise<void> {
  if (batch.nextOffset < batch.startOffset) throw new RangeError('a batch cannot end before it begins');
  const rows = await tx.query(
    `INSERT INTO consumer_offsets AS o (group_id, log_id, topic, partition, next_offset) VALUES ($1, $2, $3, $4, $6)
     ON CONFLICT (group_id, log_id, topic, partition) DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()
     WHERE o.next_offset <= $5 RETURNING 1 AS claimed`,
    [batch.group, batch.logId, batch.topic, batch.partition, batch.startOffset.toString(), batch.nextOffset.toString()],
  );
  if (rows.length === 0) throw new StaleOwner(`the records from ${batch.startOffset} on were stored by another owner`);
}

/** How each column is read from an event, and its type in PostgreSQL. */
const COLUMNS: Record<string, [type: string, read: (event: UsageEvent) => unknown]> = {
  time: ['timestamptz', (event) => event.time],
  organization_id: ['uuid', (event) => event.organization_id],
  event_id: ['uuid', (event) => event.event_id],
  api_key_id: ['uuid', (event) => event.api_key_id],
  request_bytes: ['bigint', (event) => event.request_bytes],
  response_bytes: ['bigint', (event) => event.response_bytes],
  response_time_ms: ['double precision', (event) => event.response_time_ms],
  units: ['integer', (event) => event.units],
  status_code: ['smallint', (event) => event.status_code],
  billable: ['boolean', (event) => event.billable],
  environment: ['text', (event) => event.environment],
  origin: ['text', (event) => event.origin],
  method: ['text', (event) => event.method],
  path: ['text', (event) => event.path],
  route: ['text', (event) => event.route],
  request_id: ['text', (event) => event.request_id],
  node_id: ['text', (event) => event.node_id ?? ''],
};
const NAMES = Object.keys(COLUMNS).join(', ');
const ARRAYS = Object.values(COLUMNS)
  .map(([type], i) => `$${i + 1}::${type}[]`)
  .join(', ');

/**
 * The hours are counted from the rows that were really inserted. Both inserts go in the order of their keys, so that two
 * writers who meet wait for each other and do not deadlock.
 */
const INSERT_ONCE = `
  WITH inserted AS (
    INSERT INTO usage_events (${NAMES})
    SELECT ${NAMES} FROM unnest(${ARRAYS}) AS event (${NAMES}) ORDER BY time, organization_id, event_id
    ON CONFLICT DO NOTHING
    RETURNING organization_id, date_trunc('hour', time, 'UTC') AS hour, environment, billable, units, request_bytes,
      response_bytes, response_time_ms
  ), counted AS (
    INSERT INTO usage_hourly AS h (organization_id, hour, environment, requests, billable_requests, billable_units,
      request_bytes, response_bytes, sum_response_time_ms, max_response_time_ms)
    SELECT organization_id, hour, environment, count(*), count(*) FILTER (WHERE billable),
      coalesce(sum(units) FILTER (WHERE billable), 0), sum(request_bytes), sum(response_bytes), sum(response_time_ms),
      max(response_time_ms)
    FROM inserted GROUP BY organization_id, hour, environment ORDER BY organization_id, hour, environment
    ON CONFLICT (organization_id, hour, environment) DO UPDATE SET requests = h.requests + excluded.requests,
      billable_requests = h.billable_requests + excluded.billable_requests,
      billable_units = h.billable_units + excluded.billable_units,
      request_bytes = h.request_bytes + excluded.request_bytes, response_bytes = h.response_bytes + excluded.response_bytes,
      sum_response_time_ms = h.sum_response_time_ms + excluded.sum_response_time_ms,
      max_response_time_ms = greatest(h.max_response_time_ms, excluded.max_response_time_ms)
  )
  SELECT count(*)::int AS inserted FROM inserted`;

async function insertOnce(tx: Sql, events: readonly UsageEvent[]): Promise<number> {
  const arrays = Object.values(COLUMNS).map(([, read]) => events.map(read));
  const [row] = await tx.query<{ inserted: number }>(INSERT_ONCE, arrays, 'insert-usage-once');
  return row?.inserted ?? 0;
}
