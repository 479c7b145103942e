import { type UsageGrouping, usageReport } from '@tollgate/postgres/usage-report';
import { requiredText, utcTime } from '../arguments.js';
import { wrongUse } from '../cli-error.js';
import type { Command } from '../command.js';
import { quoted } from '../printable.js';
import { isOrganizationGiven, ORG_OPTION, organizationOf } from '../subject.js';
import { usageRow, usageView } from '../usage-view.js';

export const usageShow: Command = {
  noun: 'usage',
  verb: 'show',
  describe: 'Shows what an organization used, test keys included, in a range of time. Only what was used has a row.',
  example: 'tollgate usage show --org "Acme Ltd" --from 2026-11-01 --to 2026-12-01 --by day',
  options: {
    ...ORG_OPTION,
    from: {
      type: 'string',
      value: 'D',
      describe: 'A UTC day or moment, which belongs to the range; default: the first of this month.',
    },
    to: { type: 'string', value: 'D', describe: 'A UTC day or moment, which no longer belongs to the range; default: now.' },
    by: {
      type: 'string',
      choices: ['hour', 'day', 'month', 'total', 'route', 'key', 'status'],
      default: 'day',
      describe: 'What has a row of its own.',
    },
  },
  async run(args, { database, usageDatabase, output, now }) {
    const to = utcTime(args, 'to') ?? now;
    const from = utcTime(args, 'from') ?? new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth()));
    if (from > to) throw wrongUse(`The range ends before it begins: ${range(from, to)}.`);
    if (!isOrganizationGiven(args)) throw wrongUse('--org is required.');
    const by = requiredText(args, 'by') as UsageGrouping;
    const { id, name } = await organizationOf(args, await database());
    const rows = await usageReport(await usageDatabase(), { organizationId: id, from, to, by });
    output.say(`Usage of ${quoted(name)} ${range(from, to)}, UTC.`);
    output.list(
      rows.map((row) => usageRow(row, by)),
      usageView(by),
    );
  },
};

function range(from: Date, to: Date): string {
  return `from ${from.toISOString()} up to, but without, ${to.toISOString()}`;
}
