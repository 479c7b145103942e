import { DAY_MS } from '@tollgate/domain/period';
import type { Sql } from './database.js';
import { Invalid } from './errors.js';

export interface ReconcileQuery {
  organizationId: string;
  /** The half-open range in whole minutes, UTC. */
  from: Date;
  to: Date;
  nowMs: number;
}

/**
 * Why a gateway's own log and what is stored are not the same: `replayed` was lost on its way and is stored by now,
 * `dead_lettered` and `not_stored` are missing, `pending` is not checked yet, and of `unwitnessed` only the database knows.
 */
export type GapReason = 'replayed' | 'dead_lettered' | 'not_stored' | 'pending' | 'unwitnessed';

export interface UsageGap {
  nodeId: string;
  minute: Date;
  requests: number;
  reason: GapReason;
}

export interface Reconciliation {
  /** What the gateways' own logs held, and what is stored. */
  proxied: number;
  recorded: number;
  /** By minute and gateway, at most {@link MAX_GAPS}. */
  gaps: UsageGap[];
  witnesses: { nodeId: string; since: Date; checkedUntil: Date }[];
  /** All of the range was watched by some gateway's witness and is checked. Where it was not, no gap is no proof. */
  isWitnessed: boolean;
}

export const MAX_GAPS = 10_000;
const KEPT_MS = 90 * DAY_MS;
const MINUTE_MS = 60_000;

/**
 * Compares what the gateways' file logs held of an organization with what is stored now, minute by minute. Throws
 * {@link Invalid} where single events are no longer kept.
 */
export async function reconcileUsage(db: Sql, query: ReconcileQuery): Promise<Reconciliation> {
  const { organizationId, from, to, nowMs } = query;
  if (!(from <= to)) throw new Invalid('the range must not end before it begins');
  if (from.getTime() % MINUTE_MS !== 0 || to.getTime() % MINUTE_MS !== 0)
    throw new Invalid('usage is compared in whole minutes: begin and end the range at one');
  if (from.getTime() < nowMs - KEPT_MS)
    throw new Invalid('single requests are kept for 90 days: before that nothing is left to compare');
  const [totals] = await db.query<{ proxied: string; recorded: string }>(
    `${MINUTES} SELECT coalesce(sum(requests), 0) AS proxied, coalesce(sum(stored), 0) AS recorded FROM minutes`,
    [organizationId, from, to],
  );
  const rows = await db.query<MinuteRow>(
    `${MINUTES} SELECT node_id, minute, requests::int, stored::int, recorded::int, replayed::int, dead_lettered::int, is_same,
       n.checked_until
     FROM minutes LEFT JOIN usage_witness_nodes AS n USING (node_id)
     WHERE is_same IS NOT TRUE OR replayed > 0 ORDER BY minute, node_id LIMIT ${MAX_GAPS}`,
    [organizationId, from, to],
  );
  const witnesses = await db.query<{ nodeId: string; since: Date; checkedUntil: Date }>(
    `SELECT node_id AS "nodeId", since, checked_until AS "checkedUntil" FROM usage_witness_nodes
     WHERE since < $2 AND checked_until > $1 ORDER BY node_id`,
    [from, to],
  );
  return {
    proxied: Number(totals?.proxied),
    recorded: Number(totals?.recorded),
    gaps: rows.flatMap(gapsOf),
    witnesses,
    isWitnessed: covers(witnesses, from, to),
  };
}

/** Every minute of which a log or the database knows something. */
const MINUTES = `WITH minutes AS (
  SELECT node_id, minute, w.requests, coalesce(s.stored, 0) AS stored, w.recorded, w.replayed, w.dead_lettered,
    w.requests = s.stored AND w.ids_xor = s.ids_xor AS is_same
  FROM (
    SELECT node_id, date_trunc('minute', time, 'UTC') AS minute, count(*) AS stored,
      bit_xor(('x' || replace(event_id::text, '-', ''))::bit(128)) AS ids_xor
    FROM usage_events WHERE organization_id = $1 AND time >= $2 AND time < $3 GROUP BY 1, 2
  ) AS s
  FULL JOIN (SELECT * FROM usage_witness WHERE organization_id = $1 AND minute >= $2 AND minute < $3) AS w USING (node_id, minute)
)`;

interface MinuteRow {
  node_id: string;
  minute: Date;
  /** Of the log, null where none held anything; the next three are of its last check. */
  requests: number | null;
  recorded: number | null;
  replayed: number | null;
  dead_lettered: number | null;
  /** Now. */
  stored: number;
  is_same: boolean | null;
  checked_until: Date | null;
}

function gapsOf(row: MinuteRow): UsageGap[] {
  const { node_id: nodeId, minute, stored } = row;
  const isPending = row.checked_until !== null && minute >= row.checked_until;
  const gap = (requests: number, reason: GapReason): UsageGap[] => (requests > 0 ? [{ nodeId, minute, requests, reason }] : []);
  if (row.requests === null) return gap(stored, isPending ? 'pending' : 'unwitnessed');
  if (row.is_same === true) return gap(row.replayed ?? 0, 'replayed');
  const witnessed = row.requests;
  // Events that no log held may stand in for those that are missing, so the last check is asked too.
  const missing = Math.max(witnessed - stored, witnessed - (row.recorded ?? 0), stored === witnessed ? 1 : 0);
  const dead = Math.min(row.dead_lettered ?? 0, missing);
  return [
    ...gap(dead, 'dead_lettered'),
    ...gap(missing - dead, isPending ? 'pending' : 'not_stored'),
    ...gap(stored - (witnessed - missing), isPending ? 'pending' : 'unwitnessed'),
  ];
}

/** Whether their times, put together, leave nothing of the range out. */
function covers(witnesses: Reconciliation['witnesses'], from: Date, to: Date): boolean {
  const bySince = [...witnesses].sort((a, b) => a.since.getTime() - b.since.getTime());
  let reached = from;
  for (const { since, checkedUntil } of bySince) {
    if (since <= reached && checkedUntil > reached) reached = checkedUntil;
  }
  return reached >= to;
}
