import type { Database, Sql } from './database.js';
import { StaleOwner } from './usage-store.js';

/** How many events, and the XOR of their ids as numbers of 128 bits: two sets that agree in both are taken for the same. */
export interface EventTotals {
  requests: number;
  idsXor: bigint;
}

/** Of one organization in one minute. All counts are added to what is kept already. */
export interface WitnessRow extends EventTotals {
  organizationId: string;
  minute: Date;
  billableUnits: number;
  recorded: number;
  replayed: number;
  deadLettered: number;
}

/** What was read of a file: where reading began, as it is kept, and where it goes on. */
export interface WitnessedFile {
  fileId: string;
  startOffset: number;
  nextOffset: number;
}

const MINUTE_MS = 60_000;
const KEPT_DAYS = 90;
const MAX_DEAD_LETTERS_SEARCHED = 10_000;

/** By organization: what is stored of the requests that began on this gateway in this minute. */
export async function storedTotals(db: Sql, nodeId: string, minute: Date): Promise<Map<string, EventTotals>> {
  const rows = await db.query<TotalsRow>(
    `SELECT organization_id, count(*) AS requests, bit_xor(('x' || replace(event_id::text, '-', ''))::bit(128)) AS ids_xor
     FROM usage_events WHERE time >= $1 AND time < $2 AND node_id = $3 GROUP BY organization_id`,
    [minute, endOf(minute), nodeId],
  );
  return totalsOf(rows);
}

/** By organization: what the file log is known to have held of this minute. */
export async function witnessedTotals(db: Sql, nodeId: string, minute: Date): Promise<Map<string, EventTotals>> {
  const rows = await db.query<TotalsRow>(
    'SELECT organization_id, requests, ids_xor FROM usage_witness WHERE minute = $1 AND node_id = $2',
    [minute, nodeId],
  );
  return totalsOf(rows);
}

/** Those of the ids (16 bytes in hex) that are not stored among the organization's events of this minute. */
export async function missingEvents(
  db: Sql,
  { organizationId, minute, ids }: { organizationId: string; minute: Date; ids: readonly string[] },
): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `SELECT replace(witnessed.id::text, '-', '') AS id FROM unnest($4::uuid[]) AS witnessed (id) WHERE NOT EXISTS (
       SELECT FROM usage_events AS e
       WHERE e.time >= $1 AND e.time < $2 AND e.organization_id = $3 AND e.event_id = witnessed.id)`,
    [minute, endOf(minute), organizationId, ids],
  );
  return rows.map(({ id }) => id);
}

/** When the newest stored request of this gateway began, from `from` on; undefined where there is none. */
export async function newestStored(db: Sql, nodeId: string, from: Date): Promise<Date | undefined> {
  const [row] = await db.query<{ time: Date }>(
    'SELECT time FROM usage_events WHERE time >= $1 AND node_id = $2 ORDER BY time DESC LIMIT 1',
    [from, nodeId],
  );
  return row?.time;
}

/**
 * How many requests of this gateway are stored that ended after `from` and not after `to`. Those that began more than an
 * hour before are not looked for: no stream lives longer, unless the gateway was told so.
 */
export async function storedBetween(db: Sql, nodeId: string, from: Date, to: Date): Promise<number> {
  const [row] = await db.query<{ count: string }>(
    `SELECT count(*) AS count FROM usage_events
     WHERE time >= $2::timestamptz - interval '1 hour' AND time <= $3 AND node_id = $1
       AND time + response_time_ms * interval '1 millisecond' > $2
       AND time + response_time_ms * interval '1 millisecond' <= $3`,
    [nodeId, from, to],
  );
  return Number(row?.count);
}

/** Another text whenever a writer has stored something. */
export async function writerProgress(db: Sql): Promise<string> {
  const [row] = await db.query<{ at: string | null }>('SELECT max(updated_at)::text AS at FROM consumer_offsets');
  return row?.at ?? '';
}

/** Those of the ids that the newest dead letters name. */
export async function deadLettered(db: Sql, ids: readonly string[]): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `SELECT DISTINCT wanted.id FROM unnest($1::text[]) AS wanted (id)
     JOIN (SELECT value FROM usage_dead_letters ORDER BY id DESC LIMIT ${MAX_DEAD_LETTERS_SEARCHED}) AS letter
       ON position(convert_to(wanted.id, 'UTF8') IN letter.value) > 0`,
    [ids],
  );
  return rows.map(({ id }) => id);
}

/** By file: where checking goes on. */
export async function readWitnessedFiles(db: Sql, nodeId: string): Promise<Map<string, number>> {
  const rows = await db.query<{ file_id: string; next_offset: string }>(
    'SELECT file_id, next_offset FROM usage_witness_files WHERE node_id = $1',
    [nodeId],
  );
  return new Map(rows.map(({ file_id, next_offset }) => [file_id, Number(next_offset)]));
}

/**
 * Keeps what was checked, and that it was, in one transaction: no line of a file is ever counted twice. Throws
 * {@link StaleOwner} where a file is not where this reader left it, since another one checks the same gateway.
 */
export async function keepWitness(
  db: Database,
  checked: { nodeId: string; rows: readonly WitnessRow[]; files: readonly WitnessedFile[]; checkedUntil: Date },
): Promise<void> {
  await db.transaction(async (tx) => {
    for (const file of checked.files) await moveOn(tx, checked.nodeId, file);
    if (checked.rows.length > 0) await addRows(tx, checked.nodeId, checked.rows);
    await tx.query(
      `INSERT INTO usage_witness_nodes AS n (node_id, since, checked_until) VALUES ($1, $2, $2)
       ON CONFLICT (node_id) DO UPDATE SET since = least(n.since, excluded.since),
         checked_until = greatest(n.checked_until, excluded.checked_until)`,
      [checked.nodeId, checked.checkedUntil],
    );
    const oldest = checked.rows.reduce<Date | undefined>((min, { minute }) => (min && min < minute ? min : minute), undefined);
    if (oldest)
      await tx.query('UPDATE usage_witness_nodes SET since = least(since, $2) WHERE node_id = $1', [checked.nodeId, oldest]);
  });
}

/** Forgets what was witnessed more than 90 days ago; returns how many rows that were. */
export async function dropOldWitness(db: Sql, now: Date): Promise<number> {
  const rows = await db.query(
    `WITH old_files AS (DELETE FROM usage_witness_files WHERE updated_at < $1::timestamptz - make_interval(days => $2))
     DELETE FROM usage_witness WHERE minute < $1::timestamptz - make_interval(days => $2) RETURNING 1 AS dropped`,
    [now, KEPT_DAYS],
  );
  return rows.length;
}

async function moveOn(tx: Sql, nodeId: string, { fileId, startOffset, nextOffset }: WitnessedFile): Promise<void> {
  const moved = await tx.query(
    `INSERT INTO usage_witness_files AS f (node_id, file_id, next_offset) SELECT $1, $2, $4 WHERE $3::bigint = 0
       OR EXISTS (SELECT FROM usage_witness_files WHERE node_id = $1 AND file_id = $2)
     ON CONFLICT (node_id, file_id) DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()
     WHERE f.next_offset = $3::bigint RETURNING 1 AS moved`,
    [nodeId, fileId, startOffset, nextOffset],
  );
  if (moved.length === 0) throw new StaleOwner(`the file log of the gateway ${nodeId} is checked by another reconciler too`);
}

async function addRows(tx: Sql, nodeId: string, rows: readonly WitnessRow[]): Promise<void> {
  await tx.query(
    `INSERT INTO usage_witness AS w (node_id, organization_id, minute, requests, billable_units, ids_xor, recorded, replayed,
       dead_lettered)
     SELECT $1, row.organization_id, row.minute, row.requests, row.units, row.ids_xor::bit(128), row.recorded, row.replayed, row.dead
     FROM unnest($2::uuid[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[])
       AS row (organization_id, minute, requests, units, ids_xor, recorded, replayed, dead)
     ON CONFLICT (organization_id, minute, node_id) DO UPDATE SET requests = w.requests + excluded.requests,
       billable_units = w.billable_units + excluded.billable_units, ids_xor = w.ids_xor # excluded.ids_xor,
       recorded = w.recorded + excluded.recorded, replayed = w.replayed + excluded.replayed,
       dead_lettered = w.dead_lettered + excluded.dead_lettered, checked_at = now()`,
    [
      nodeId,
      rows.map(({ organizationId }) => organizationId),
      rows.map(({ minute }) => minute),
      rows.map(({ requests }) => requests),
      rows.map(({ billableUnits }) => billableUnits),
      rows.map(({ idsXor }) => idsXor.toString(2).padStart(128, '0')),
      rows.map(({ recorded }) => recorded),
      rows.map(({ replayed }) => replayed),
      rows.map((row) => row.deadLettered),
    ],
  );
}

interface TotalsRow {
  organization_id: string;
  requests: string;
  ids_xor: string;
}

function totalsOf(rows: readonly TotalsRow[]): Map<string, EventTotals> {
  return new Map(
    rows.map(({ organization_id, requests, ids_xor }) => [
      organization_id,
      { requests: Number(requests), idsXor: BigInt(`0b${ids_xor}`) },
    ]),
  );
}

function endOf(minute: Date): Date {
  return new Date(minute.getTime() + MINUTE_MS);
}

/** Up to when each gateway's witness has checked, and how long ago that is by the database's clock. */
export async function witnessAges(db: Sql): Promise<{ nodeId: string; checkedUntil: Date; ageMs: number }[]> {
  return db.query(
    `SELECT node_id AS "nodeId", checked_until AS "checkedUntil", extract(epoch FROM now() - checked_until)::float8 * 1000 AS "ageMs"
     FROM usage_witness_nodes WHERE checked_until > now() - $1 * interval '1 day' ORDER BY node_id`,
    [KEPT_DAYS],
  );
}
