import { isUuid } from '@tollgate/domain/uuid';
import type { Sql } from './database.js';
import { errorCode, Invalid } from './errors.js';

export type UsageGrouping = 'hour' | 'day' | 'month' | 'total' | 'route' | 'key' | 'status';

export interface UsageQuery {
  organizationId: string;
  /** The half-open range, in UTC. */
  from: Date;
  to: Date;
  by: UsageGrouping;
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

/** The SQLSTATE of a range that the schema's functions cannot tell; their message says why. */
const UNTOLD_RANGE = 'TG001';

/**
 * Usage in the range, exact at its edges: whole hours come from the hourly sums, the rest from raw events. Only periods and
 * groups in which something was stored have a row. Throws {@link Invalid} where the answer would need raw events that are no
 * longer kept, rather than to leave them out.
 */
export async function usageReport(db: Sql, query: UsageQuery): Promise<UsageRow[]> {
  if (!(query.from.getTime() <= query.to.getTime())) throw new Invalid('the range must not end before it begins');
  if (!isUuid(query.organizationId)) return [];
  const rows = await (GROUPS.has(query.by) ? reportGroups(db, query) : reportPeriods(db, query)).catch(asInvalid);
  return rows.map((row) => usageRowOf(row, query));
}

function asInvalid(error: unknown): never {
  throw errorCode(error) === UNTOLD_RANGE ? new Invalid((error as Error).message) : error;
}

function reportPeriods(db: Sql, { organizationId, from, to, by }: UsageQuery): Promise<ReportRow[]> {
  const period = by === 'total' ? '$4::timestamptz' : `date_trunc($4, slice.time, 'UTC')`;
  return db.query<ReportRow>(
    `SELECT ${period} AS period_start, NULL AS usage_group, ${TOTALS} FROM usage_slices($1, $2, $3) AS slice GROUP BY 1 ORDER BY 1`,
    [organizationId, from, to, by === 'total' ? from : by],
  );
}

const GROUPS: ReadonlySet<UsageGrouping> = new Set(['route', 'key', 'status']);

function reportGroups(db: Sql, { organizationId, from, to, by }: UsageQuery): Promise<ReportRow[]> {
  return db.query<ReportRow>(
    `SELECT $2::timestamptz AS period_start, usage_group, requests, billable_requests, billable_units, request_bytes, response_bytes,
       sum_response_time_ms / requests::float8 AS avg_response_time_ms, max_response_time_ms FROM usage_by_group($1, $2, $3, $4)`,
    [organizationId, from, to, by],
  );
}

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
    ...(GROUPS.has(by) ? { group: row.usage_group ?? '' } : {}),
    requests: Number(row.requests),
    billableRequests: Number(row.billable_requests),
    billableUnits: Number(row.billable_units),
    requestBytes: Number(row.request_bytes),
    responseBytes: Number(row.response_bytes),
    avgResponseTimeMs: row.avg_response_time_ms,
    maxResponseTimeMs: row.max_response_time_ms,
  };
}
