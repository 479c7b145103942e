import type { UsageGrouping, UsageRow } from '@tollgate/postgres/usage-report';
import { type Column, column, numberColumn, type Row, timeColumn, type View } from './view.js';

/** Where the group stands in a row; periods need none. */
const GROUP_FIELDS: Partial<Record<UsageGrouping, string>> = { route: 'route', key: 'api_key_id', status: 'status_code' };
const GROUP_TITLES: Partial<Record<UsageGrouping, string>> = { route: 'Route', key: 'Key', status: 'Status' };

export function usageRow(row: UsageRow, by: UsageGrouping): Row {
  const field = GROUP_FIELDS[by];
  const group = row.group ?? '';
  return {
    ...(field === undefined ? {} : { [field]: by === 'status' ? Number(group) : group }),
    period_start: row.periodStart.toISOString(),
    requests: row.requests,
    billable_requests: row.billableRequests,
    billable_units: row.billableUnits,
    request_bytes: row.requestBytes,
    response_bytes: row.responseBytes,
    avg_response_time_ms: row.avgResponseTimeMs,
    max_response_time_ms: row.maxResponseTimeMs,
  };
}

export function usageView(by: UsageGrouping): View {
  const field = GROUP_FIELDS[by];
  const first: Column = field === undefined ? timeColumn('Period start', 'period_start') : column(GROUP_TITLES[by] ?? by, field);
  return {
    id: field ?? 'period_start',
    columns: [
      first,
      numberColumn('Requests', 'requests'),
      numberColumn('Billable', 'billable_requests'),
      numberColumn('Units', 'billable_units'),
      numberColumn('Bytes in', 'request_bytes'),
      numberColumn('Bytes out', 'response_bytes'),
      numberColumn('Avg ms', 'avg_response_time_ms'),
      numberColumn('Max ms', 'max_response_time_ms'),
    ],
    fields: [
      ...(field === undefined ? [] : [field]),
      'period_start',
      'requests',
      'billable_requests',
      'billable_units',
      'request_bytes',
      'response_bytes',
      'avg_response_time_ms',
      'max_response_time_ms',
    ],
  };
}
