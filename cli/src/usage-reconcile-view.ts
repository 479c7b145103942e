import type { Reconciliation, UsageGap } from '@tollgate/postgres/usage-reconcile';
import { column, numberColumn, type Row, timeColumn, type View } from './view.js';

export function reconciliationRow(organizationId: string, range: { from: Date; to: Date }, found: Reconciliation): Row {
  return {
    organization_id: organizationId,
    from: range.from.toISOString(),
    to: range.to.toISOString(),
    proxied: found.proxied,
    recorded: found.recorded,
    difference: found.proxied - found.recorded,
    replayed: sumOf(found.gaps, (gap) => gap.reason === 'replayed'),
    gap_requests: sumOf(found.gaps, (gap) => gap.reason !== 'replayed'),
    is_witnessed: found.isWitnessed,
    gaps: found.gaps.map(gapRow),
  };
}

export const RECONCILIATION_VIEW: View = {
  columns: [
    numberColumn('Proxied', 'proxied'),
    numberColumn('Recorded', 'recorded'),
    numberColumn('Difference', 'difference'),
    numberColumn('Replayed', 'replayed'),
    numberColumn('In gaps', 'gap_requests'),
    column('Witnessed', 'is_witnessed'),
  ],
  fields: [],
};

export function gapRow({ nodeId, minute, requests, reason }: UsageGap): Row {
  return { node_id: nodeId, minute: minute.toISOString(), requests, reason };
}

export const GAP_VIEW: View = {
  columns: [
    timeColumn('Minute', 'minute'),
    column('Gateway', 'node_id'),
    numberColumn('Requests', 'requests'),
    column('Why', 'reason'),
  ],
  fields: [],
};

function sumOf(gaps: readonly UsageGap[], counts: (gap: UsageGap) => boolean): number {
  return gaps.filter(counts).reduce((sum, { requests }) => sum + requests, 0);
}
