import type { StoredUsageEvent } from '@tollgate/postgres/read-usage-events';
import { tailUsageEvents } from '@tollgate/postgres/tail-usage-events';
import { durationMs } from '../arguments.js';
import { wrongUse } from '../cli-error.js';
import type { Command } from '../command.js';
import { followText } from '../follow-text.js';
import { quoted } from '../printable.js';
import { isOrganizationGiven, ORG_OPTION, organizationOf } from '../subject.js';
import { column, numberColumn, type Row } from '../view.js';

export const usageTail: Command = {
  noun: 'usage',
  verb: 'tail',
  describe:
    'Shows the requests of an organization as they are stored, until Ctrl-C. With -o json each is a line. What is stored more than a minute after newer requests is not shown; usage show counts it.',
  example: 'tollgate usage tail --org "Acme Ltd" --since 10m',
  options: {
    ...ORG_OPTION,
    since: {
      type: 'string',
      value: 'DURATION',
      default: '0',
      describe: 'Begin with the requests of so long ago, such as 10m or 24h.',
    },
  },
  formats: ['table', 'json', 'csv'],
  async run(args, { database, usageDatabase, output, now, interrupted }) {
    if (!isOrganizationGiven(args)) throw wrongUse('--org is required.');
    const from = new Date(now.getTime() - (durationMs(args, 'since') ?? 0));
    const { id: organizationId, name } = await organizationOf(args, await database());
    const signal = interrupted();
    output.say(`Requests of ${quoted(name)} from ${from.toISOString()} on, UTC. Ctrl-C ends it.`);
    const pages = tailUsageEvents(await usageDatabase(), { organizationId, from, now: Date.now, signal });
    await output.stream(followText(rowsOf(pages), VIEW, output.format === 'id' ? 'table' : output.format));
  },
};

async function* rowsOf(pages: AsyncIterable<readonly StoredUsageEvent[]>): AsyncGenerator<Row[]> {
  for await (const page of pages) yield page.map(eventRow);
}

function eventRow(event: StoredUsageEvent): Row {
  return {
    time: event.time,
    event_id: event.eventId,
    request_id: event.requestId,
    api_key_id: event.apiKeyId,
    environment: event.environment,
    method: event.method,
    path: event.path,
    route: event.route,
    status_code: event.statusCode,
    response_time_ms: event.responseTimeMs,
    request_bytes: event.requestBytes,
    response_bytes: event.responseBytes,
    billable: event.billable,
    units: event.units,
    origin: event.origin,
    node_id: event.nodeId,
    shadow_limited: event.shadowLimited,
  };
}

const VIEW = {
  columns: [
    column('Time', 'time'),
    numberColumn('Status', 'status_code'),
    numberColumn('Ms', 'response_time_ms'),
    numberColumn('Units', 'units'),
    column('Billable', 'billable'),
    column('Key', 'api_key_id'),
    column('Route', 'route'),
    column('Method', 'method'),
    column('Path', 'path'),
  ],
  widths: [27, 6, 8, 6, 8, 36, 16, 7, 0],
  fields: [
    'time',
    'event_id',
    'request_id',
    'api_key_id',
    'environment',
    'method',
    'path',
    'route',
    'status_code',
    'response_time_ms',
    'request_bytes',
    'response_bytes',
    'billable',
    'units',
    'origin',
    'node_id',
    'shadow_limited',
  ],
};
