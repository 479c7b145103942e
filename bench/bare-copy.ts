/** What storing usage is measured against: the same rows by COPY straight into the table, which counts nothing and fails at a duplicate. */
import { pipeline } from 'node:stream/promises';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

const COLUMNS = [
  'time',
  'organization_id',
  'event_id',
  'api_key_id',
  'request_bytes',
  'response_bytes',
  'response_time_ms',
  'units',
  'status_code',
  'billable',
  'environment',
  'origin',
  'method',
  'path',
  'route',
  'request_id',
] as const satisfies readonly (keyof UsageEvent)[];

export interface BareCopy {
  store(events: readonly UsageEvent[]): Promise<void>;
  close(): Promise<void>;
}

export async function openBareCopy(url: string): Promise<BareCopy> {
  const client = new pg.Client({ connectionString: url });
  // Whoever stores hears of it; unheard here, it would end the process before it could say why.
  client.on('error', () => {});
  await client.connect();
  const sql = `COPY usage_events (${COLUMNS.join(', ')}) FROM STDIN`;
  return {
    store: (events) => pipeline([events.map(lineOf).join('')], client.query(copyFrom(sql))),
    close: () => client.end(),
  };
}

/** The rows of the bench need no escapes. */
function lineOf(event: UsageEvent): string {
  return `${COLUMNS.map((name) => String(event[name])).join('\t')}\n`;
}
