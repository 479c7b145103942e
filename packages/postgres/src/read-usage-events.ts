import type { Sql } from './database.js';

/** A stored event, as people look at it. */
export interface StoredUsageEvent {
  /** ISO 8601 in UTC with microseconds. */
  time: string;
  eventId: string;
  apiKeyId: string;
  environment: string;
  method: string;
  path: string;
  route: string;
  statusCode: number;
  responseTimeMs: number;
  requestBytes: number;
  responseBytes: number;
  billable: boolean;
  units: number;
  origin: string;
  requestId: string;
  nodeId: string;
  shadowLimited: string | null;
}

export interface EventPlace {
  time: string;
  eventId: string;
}

/** An organization's events in the order of their times: those from `from` on, or those after a place; `limit` at a time. */
export async function readUsageEvents(
  db: Sql,
  { organizationId, from, after, limit }: { organizationId: string; from: Date; after?: EventPlace; limit: number },
): Promise<StoredUsageEvent[]> {
  const rows = await db.query<EventRow>(
    `SELECT to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time, replace(event_id::text, '-', '') AS event_id,
       api_key_id, environment, method, path, route, status_code, response_time_ms, request_bytes, response_bytes, billable, units,
       origin, request_id, node_id, shadow_limited
     FROM usage_events AS e
     WHERE organization_id = $1 AND e.time >= $2 AND (e.time, e.event_id) > ($3::timestamptz, $4::uuid)
     ORDER BY e.time, e.event_id LIMIT $5`,
    [organizationId, from, after?.time ?? '-infinity', after?.eventId ?? '0'.repeat(32), limit],
  );
  return rows.map(storedEventOf);
}

interface EventRow {
  time: string;
  event_id: string;
  api_key_id: string;
  environment: string;
  method: string;
  path: string;
  route: string;
  status_code: number;
  response_time_ms: number;
  request_bytes: string;
  response_bytes: string;
  billable: boolean;
  units: number;
  origin: string;
  request_id: string;
  node_id: string;
  shadow_limited: string | null;
}

function storedEventOf(row: EventRow): StoredUsageEvent {
  return {
    time: row.time,
    eventId: row.event_id,
    apiKeyId: row.api_key_id,
    environment: row.environment,
    method: row.method,
    path: row.path,
    route: row.route,
    statusCode: row.status_code,
    responseTimeMs: row.response_time_ms,
    requestBytes: Number(row.request_bytes),
    responseBytes: Number(row.response_bytes),
    billable: row.billable,
    units: row.units,
    origin: row.origin,
    requestId: row.request_id,
    nodeId: row.node_id,
    shadowLimited: row.shadow_limited,
  };
}
