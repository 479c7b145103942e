import { DAY_MS } from '@tollgate/domain/period';
import { isUuid } from '@tollgate/domain/uuid';
import type { Sql } from './database.js';
import { Invalid } from './errors.js';

export type UsageGrouping = 'hour' | 'day' | 'month' | 'total' | 'route' | 'key' | 'status';

export interface UsageQuery {
  organizationId: string;
  /** The half-open range, in UTC. */
  from: Date;
  to: Date;
  by: UsageGrouping;
  /** Decides how far back raw events are certain to be there. */
  nowMs: number;
}

export interface UsageRow {
  /** Where the hour, day or month begins, though the range may begin within it; else the beginning of the range. */
  periodStart: Date;
  /** The route, the key's id or the status; only where the rows are grouped by it. */
  group?: string;
  requests: number;
  billableRequests: number;
  billableUnits: number;
  requestBytes: number;
  responseBytes: number;
  avgResponseTimeMs: number;
  maxResponseTimeMs: number;
}

const HOUR_MS = 3_600_000;
const RAW_MS = 90 * DAY_MS;

/**
 * Usage in the range, exact to the microsecond at its edges: whole hours come from the hourly aggregate, the rest from raw
 * events. Only periods and groups in which something was stored have a row. Throws {@link Invalid} where the answer would
 * need raw events that are no longer kept, rather than to leave them out.
 */
export async function usageReport(db: Sql, query: UsageQuery): Promise<UsageRow[]> {
  const [fromMs, toMs] = [query.from.getTime(), query.to.getTime()];
  if (!(fromMs <= toMs)) throw new Invalid('the range must not end before it begins');
  if (!isUuid(query.organizationId)) return [];
  const rows = await (query.by in GROUPS ? reportGroups(db, query) : reportPeriods(db, query));
  return rows.map((row) => usageRowOf(row, query));
}

/** What of the range is whole hours, and the two rests beside them. */
interface RangeParts {
  head: [Date, Date];
  hours: [Date, Date];
  tail: [Date, Date];
}

function partsOf(fromMs: number, toMs: number): RangeParts {
  const firstHourMs = Math.min(Math.ceil(fromMs / HOUR_MS) * HOUR_MS, toMs);
  const lastHourMs = Math.max(Math.floor(toMs / HOUR_MS) * HOUR_MS, firstHourMs);
  const range = (startMs: number, endMs: number): [Date, Date] => [new Date(startMs), new Date(endMs)];
  return { head: range(fromMs, firstHourMs), hours: range(firstHourMs, lastHourMs), tail: range(lastHourMs, toMs) };
}

async function reportPeriods(db: Sql, { organizationId, from, to, by, nowMs }: UsageQuery): Promise<ReportRow[]> {
  const { head, hours, tail } = partsOf(from.getTime(), to.getTime());
  for (const [start, end] of [head, tail]) if (start < end) needRawEvents(start, nowMs);
  const period = by === 'total' ? '$8::timestamptz' : `date_trunc($8, part.time, 'UTC')`;
  return db.query<ReportRow>(
    `SELECT ${period} AS period_start, NULL AS usage_group, ${TOTALS} FROM (
       SELECT hour AS time, requests, billable_requests, billable_units, request_bytes, response_bytes, sum_response_time_ms,
         max_response_time_ms
       FROM usage_hourly WHERE organization_id = $1 AND hour >= $2 AND hour < $3
       UNION ALL SELECT ${RAW_PART} FROM usage_events WHERE organization_id = $1 AND time >= $4 AND time < $5
       UNION ALL SELECT ${RAW_PART} FROM usage_events WHERE organization_id = $1 AND time >= $6 AND time < $7
     ) AS part GROUP BY 1 ORDER BY 1`,
    [organizationId, ...hours, ...head, ...tail, by === 'total' ? from : by],
  );
}

/** By which column of the raw events; names from here only, never from a caller. */
const GROUPS: Partial<Record<UsageGrouping, string>> = { route: 'route', key: 'api_key_id::text', status: 'status_code::text' };

async function reportGroups(db: Sql, { organizationId, from, to, by, nowMs }: UsageQuery): Promise<ReportRow[]> {
  needRawEvents(from, nowMs);
  return db.query<ReportRow>(
    `SELECT $4::timestamptz AS period_start, usage_group, ${TOTALS} FROM (
       SELECT ${GROUPS[by]} AS usage_group, ${RAW_PART} FROM usage_events WHERE organization_id = $1 AND time >= $2 AND time < $3
     ) AS part GROUP BY usage_group ORDER BY sum(requests) DESC, usage_group COLLATE "C"`,
    [organizationId, from, to, from],
  );
}

function needRawEvents(start: Date, nowMs: number): void {
  if (start.getTime() < nowMs - RAW_MS)
    throw new Invalid(
      'single requests are kept for 90 days: before that, ranges are in whole hours and cannot be split by route, key or status',
    );
}

const RAW_PART = `time, 1 AS requests, billable::int AS billable_requests, CASE WHEN billable THEN units ELSE 0 END AS billable_units,
  request_bytes, response_bytes, response_time_ms AS sum_response_time_ms, response_time_ms AS max_response_time_ms`;

const TOTALS = `sum(requests) AS requests, sum(billable_requests) AS billable_requests, sum(billable_units) AS billable_units,
  sum(request_bytes) AS request_bytes, sum(response_bytes) AS response_bytes,
  sum(sum_response_time_ms) / sum(requests)::float8 AS avg_response_time_ms, max(max_response_time_ms) AS max_response_time_ms`;

interface ReportRow {
  period_start: Date;
  usage_group: string | null;
  requests: string;
  billable_requests: string;
  billable_units: string;
  request_bytes: string;
  response_bytes: string;
  avg_response_time_ms: number;
  max_response_time_ms: number;
}

function usageRowOf(row: ReportRow, { by }: UsageQuery): UsageRow {
  return {
    periodStart: row.period_start,
    ...(by in GROUPS ? { group: row.usage_group ?? '' } : {}),
    requests: Number(row.requests),
    billableRequests: Number(row.billable_requests),
    billableUnits: Number(row.billable_units),
    requestBytes: Number(row.request_bytes),
    responseBytes: Number(row.response_bytes),
    avgResponseTimeMs: row.avg_response_time_ms,
    maxResponseTimeMs: row.max_response_time_ms,
  };
}
