import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { Sql } from './database.js';
import { errorCode, isRefusal } from './errors.js';

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
  shadow_limited: ['text', (event) => event.shadow_limited ?? null],
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

/** Inserts the events that are not there yet, and counts their hours; returns how many that were. All of them or none. */
export async function insertUsage(tx: Sql, events: readonly UsageEvent[]): Promise<number> {
  if (events.length === 0) return 0;
  const arrays = Object.values(COLUMNS).map(([, read]) => events.map(read));
  const [row] = await tx.query<{ inserted: number }>(INSERT_ONCE, arrays, 'insert-usage-once');
  return row?.inserted ?? 0;
}

/**
 * Makes the partitions that these events lack. Best in a transaction of its own, and a short one, since others who need
 * the same day wait for it.
 */
export async function createUsagePartitions(db: Sql, events: readonly Pick<UsageEvent, 'time'>[]): Promise<void> {
  const days = [...new Set(events.map(({ time }) => time.slice(0, 10)))];
  if (days.length > 0) await db.query('SELECT create_usage_partitions($1::date[])', [days]);
}

export interface RefusedEvent {
  /** Its place among the events that were handed over. */
  index: number;
  /** In words for a person; never a part of the event. */
  reason: string;
}

/**
 * As {@link insertUsage}, but what PostgreSQL refuses for its values is left out and told. Halves what holds a refused event until
 * that one is alone, so that one among a thousand takes about twenty inserts. Anything else that fails rejects.
 */
export async function insertAcceptableUsage(
  tx: Sql,
  events: readonly UsageEvent[],
): Promise<{ inserted: number; refused: RefusedEvent[] }> {
  const refused: RefusedEvent[] = [];
  const insertRange = async (start: number, end: number): Promise<number> => {
    if (start === end) return 0;
    const outcome = await insertOrTakeBack(tx, events.slice(start, end));
    if (outcome.kind === 'inserted') return outcome.count;
    if (end - start === 1) {
      refused.push({ index: start, reason: outcome.reason });
      return 0;
    }
    const middle = Math.ceil((start + end) / 2);
    return (await insertRange(start, middle)) + (await insertRange(middle, end));
  };
  return { inserted: await insertRange(0, events.length), refused };
}

async function insertOrTakeBack(
  tx: Sql,
  events: readonly UsageEvent[],
): Promise<{ kind: 'inserted'; count: number } | { kind: 'refused'; reason: string }> {
  await tx.query('SAVEPOINT piece');
  try {
    await createUsagePartitions(tx, events);
    const count = await insertUsage(tx, events);
    await tx.query('RELEASE SAVEPOINT piece');
    return { kind: 'inserted', count };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    await tx.query('ROLLBACK TO SAVEPOINT piece');
    // Its message could quote the event, which comes from strangers.
    const { constraint } = error as { constraint?: unknown };
    const rule = typeof constraint === 'string' ? `, ${constraint}` : '';
    return { kind: 'refused', reason: `refused by PostgreSQL (${errorCode(error)}${rule})` };
  }
}
