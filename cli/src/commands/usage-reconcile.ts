import { MAX_GAPS, reconcileUsage } from '@tollgate/postgres/usage-reconcile';
import { utcTime } from '../arguments.js';
import { Unhappy, wrongUse } from '../cli-error.js';
import type { Command } from '../command.js';
import { quoted } from '../printable.js';
import { isOrganizationGiven, ORG_OPTION, organizationOf } from '../subject.js';
import { GAP_VIEW, gapRow, RECONCILIATION_VIEW, reconciliationRow } from '../usage-reconcile-view.js';

const MINUTE_MS = 60_000;
/** A minute is checked some ten seconds after its end. */
const USUAL_DELAY_MS = 2 * MINUTE_MS;

export const usageReconcile: Command = {
  noun: 'usage',
  verb: 'reconcile',
  describe:
    "Compares what the gateways' own logs held of an organization with what is stored, and names every gap. Exit code 1 where one stays, or where nobody watched.",
  example: 'tollgate usage reconcile --org "Acme Ltd" --from 2026-11-01 --to 2026-12-01',
  options: {
    ...ORG_OPTION,
    from: {
      type: 'string',
      value: 'D',
      describe: 'A UTC day or minute, which belongs to the range; default: the first of this month.',
    },
    to: {
      type: 'string',
      value: 'D',
      describe: 'A UTC day or minute, which no longer belongs to the range; default: two minutes ago.',
    },
  },
  formats: ['table', 'json'],
  async run(args, { database, usageDatabase, output, now }) {
    const lately = new Date(Math.floor((now.getTime() - USUAL_DELAY_MS) / MINUTE_MS) * MINUTE_MS);
    const from = utcTime(args, 'from') ?? new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth()));
    const to = utcTime(args, 'to') ?? lately;
    if (from > to) throw wrongUse(`The range ends before it begins: from ${from.toISOString()} to ${to.toISOString()}.`);
    if (!isOrganizationGiven(args)) throw wrongUse('--org is required.');
    const { id, name } = await organizationOf(args, await database());
    const found = await reconcileUsage(await usageDatabase(), { organizationId: id, from, to, nowMs: now.getTime() });
    output.say(`Usage of ${quoted(name)} from ${from.toISOString()} up to, but without, ${to.toISOString()}, UTC.`);
    output.one(reconciliationRow(id, { from, to }, found), RECONCILIATION_VIEW);
    if (output.format === 'table' && found.gaps.length > 0) {
      output.text('\n');
      output.list(found.gaps.map(gapRow), GAP_VIEW);
    }
    if (found.gaps.length >= MAX_GAPS) output.say(`Only the first ${MAX_GAPS} gaps are shown.`);
    if (!found.isWitnessed) output.say(unwitnessedText(found.witnesses));
    if (!found.isWitnessed || found.gaps.some(({ reason }) => reason !== 'replayed')) throw new Unhappy();
  },
};

function unwitnessedText(witnesses: readonly { nodeId: string; since: Date; checkedUntil: Date }[]): string {
  const known = witnesses.map(
    ({ nodeId, since, checkedUntil }) => `\n  ${quoted(nodeId)} from ${since.toISOString()} to ${checkedUntil.toISOString()}`,
  );
  const what = known.length === 0 ? ' No reconciler watched any of it.' : ` Watched and checked were:${known.join('')}`;
  return `Not all of this range has a witness, so that nobody can tell what is missing in it.${what}`;
}
