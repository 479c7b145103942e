import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { Sql } from './database.js';

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

const CREATE_PARTITIONS = `
  SELECT create_usage_partitions(ARRAY(SELECT day::date FROM unnest($1::text[]) AS day WHERE pg_input_is_valid(day, 'date')))`;

/** Inserts the events that are not there yet, and counts their hours; returns how many that were. All of them or none. */
export async function insertUsage(tx: Sql, events: readonly UsageEvent[]): Promise<number> {
  if (events.length === 0) return 0;
  const arrays = Object.values(COLUMNS).map(([, read]) => events.map(read));
  const [row] = await tx.query<{ inserted: number }>(INSERT_ONCE, arrays, 'insert-usage-once');
  return row?.inserted ?? 0;
}

/** The values of an event by the names of the table's columns. */
export function usageRow(event: UsageEvent): Record<string, unknown> {
  return Object.fromEntries(Object.entries(COLUMNS).map(([name, [, read]]) => [name, read(event)]));
}

/**
 * Makes the partitions that these events lack. Best in a transaction of its own, and a short one, since others who need
 * the same day wait for it. A day that PostgreSQL does not know is passed over: its events are refused when they are inserted.
 */
export async function createUsagePartitions(db: Sql, events: readonly Pick<UsageEvent, 'time'>[]): Promise<void> {
  const days = [...new Set(events.map(({ time }) => time.slice(0, 10)))];
  if (days.length > 0) await db.query(CREATE_PARTITIONS, [days]);
}
