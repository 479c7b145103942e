import { type Change, type ChangeKind, RELOAD } from '@tollgate/domain/change';
import type pg from 'pg';
import type { Sql } from '../database.js';
import { DatabaseUnavailable } from '../errors.js';

/** How far a reader has come: what its last snapshot saw, and when that was by the database's clock. */
export interface ReadPosition {
  snapshot: string;
  databaseMs: number;
}

export interface ReadChange extends Change {
  /** When the change was written, by the database's clock; undefined of a reload that the reader itself ordered. */
  atMs: number | undefined;
}

/** A reader that was away for longer may have missed rows that are gone. Half of what {@link pruneChanges} leaves. */
export const LONGEST_ABSENCE_MS = 3_600_000;
/** More than these at once are not worth telling one by one. */
const MOST_CHANGES = 10_000;

/**
 * The changes that were committed since `last`, and the new position. A snapshot knows of every transaction whether it had
 * ended, so each change is read exactly once, in whatever order transactions commit and however long others stay open.
 * Without a position, after too long an absence, or in a database that has gone back (a restored one), it is one reload.
 */
export async function readChanges(
  client: pg.ClientBase,
  last: ReadPosition | undefined,
): Promise<{ changes: ReadChange[]; position: ReadPosition }> {
  const { rows } = await client.query<ChangeRow>(READ, [last?.snapshot ?? null, MOST_CHANGES + 1]);
  const [first] = rows;
  if (first === undefined) throw new Error('reading the changes returned no snapshot');
  // What a standby calls its snapshot lacks the transactions under way on its primary.
  if (first.is_standby) throw new DatabaseUnavailable('database unavailable: this server is a standby', undefined);
  const position = { snapshot: first.snapshot, databaseMs: first.database_ms };
  const changes = rows.flatMap((row) => (row.kind === null ? [] : [{ kind: row.kind, subject: row.subject, atMs: row.at_ms }]));
  const isTold = last !== undefined && changes.length <= MOST_CHANGES && !first.went_back && wasNear(last, position);
  return { changes: isTold ? changes : [{ ...RELOAD, atMs: undefined }], position };
}

/** Deletes what no reader will ask for any more; returns how many rows. */
export async function pruneChanges(db: Sql): Promise<number> {
  const [row] = await db.query<{ deleted: number }>(
    `WITH deleted AS (DELETE FROM changes WHERE at < clock_timestamp() - $1 * interval '1 millisecond' RETURNING 1)
     SELECT count(*)::int AS deleted FROM deleted`,
    [2 * LONGEST_ABSENCE_MS],
  );
  return row?.deleted ?? 0;
}

function wasNear(last: ReadPosition, now: ReadPosition): boolean {
  return Math.abs(now.databaseMs - last.databaseMs) <= LONGEST_ABSENCE_MS;
}

/** One statement, hence one snapshot. The first condition is there for the index, the second decides. */
const READ = `
  SELECT s.snapshot, s.database_ms, s.is_standby, s.went_back, c.kind, c.subject, c.at_ms
  FROM (
    SELECT pg_current_snapshot()::text AS snapshot, extract(epoch FROM clock_timestamp())::float8 * 1000 AS database_ms,
      pg_is_in_recovery() AS is_standby,
      coalesce(pg_snapshot_xmin(pg_current_snapshot()) < pg_snapshot_xmin($1::pg_snapshot), false) AS went_back
  ) AS s
  LEFT JOIN (
    SELECT id, kind, subject, extract(epoch FROM at)::float8 * 1000 AS at_ms FROM changes
    WHERE xid >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot)
    ORDER BY id LIMIT $2
  ) AS c ON true
  ORDER BY c.id`;

interface ChangeRow {
  snapshot: string;
  database_ms: number;
  is_standby: boolean;
  went_back: boolean;
  kind: ChangeKind | null;
  subject: string;
  at_ms: number;
}
