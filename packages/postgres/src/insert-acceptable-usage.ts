import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { Sql } from './database.js';
import { errorCode, isRefusal } from './errors.js';
import { createUsagePartitions, insertUsage, usageRow } from './insert-usage.js';

export interface RefusedEvent {
  /** Its place among the events that were handed over. */
  index: number;
  /** In words for a person; never a part of the event. */
  reason: string;
}

export interface AcceptedUsage {
  /** How many were not there yet. */
  inserted: number;
  refused: RefusedEvent[];
}

interface Placed {
  index: number;
  event: UsageEvent;
}

/** Stored or searched at a time: small enough that one refused event has few others tried alone, large enough to be stored quickly. */
const PIECE_EVENTS = 500;

/**
 * As {@link insertUsage}, but what PostgreSQL refuses for its values is left out and told. A piece that holds a refused event is
 * tried event by event within the database, by one statement, and what it takes is inserted together. Anything else that fails
 * rejects.
 */
export async function insertAcceptableUsage(tx: Sql, events: readonly UsageEvent[]): Promise<AcceptedUsage> {
  // A rule that is held only at the commit would refuse the batch when no event can be told from another any more.
  await tx.query('SET CONSTRAINTS ALL IMMEDIATE');
  // Without its partition a good event would be refused like a bad one.
  await createUsagePartitions(tx, events);
  const placed = events.map((event, index) => ({ index, event }));
  const all: AcceptedUsage = { inserted: 0, refused: [] };
  for (let start = 0; start < placed.length; ) {
    const piece = await insertPiece(tx, placed.slice(start, start + PIECE_EVENTS));
    all.inserted += piece.inserted;
    all.refused.push(...piece.refused);
    start += piece.searched;
  }
  return all;
}

/** `searched` of its events, from the first on: all, or at least one where the database is slow. */
async function insertPiece(tx: Sql, piece: readonly Placed[]): Promise<AcceptedUsage & { searched: number }> {
  const outcome = await insertOrTakeBack(tx, piece);
  if (outcome.kind === 'inserted') return { inserted: outcome.count, refused: [], searched: piece.length };
  const reasons = await tryEach(tx, piece);
  const tried = piece.slice(0, reasons.length).map(({ index, event }, at) => ({ index, event, reason: reasons[at] }));
  const refused = tried.flatMap(({ index, reason }) => (reason === undefined ? [] : { index, reason }));
  const rest = await insertInHalves(
    tx,
    tried.filter(({ reason }) => reason === undefined),
  );
  return { inserted: rest.inserted, refused: [...refused, ...rest.refused], searched: tried.length };
}

/** Of each of the first events, why PostgreSQL refuses it; undefined where it does not. */
async function tryEach(tx: Sql, piece: readonly Placed[]): Promise<(string | undefined)[]> {
  const events = piece.map(({ event }) => JSON.stringify(usageRow(event)));
  const rows = await tx.query<{ code: string | null; rule: string | null }>(
    'SELECT code, rule FROM try_usage($1::text[]) ORDER BY place',
    [events],
  );
  return rows.map(({ code, rule }) => (code === null ? undefined : reasonOf(code, rule)));
}

/** Where events are refused only together, or by a rule about hours, the one at fault is alone in the end. */
async function insertInHalves(tx: Sql, events: readonly Placed[]): Promise<AcceptedUsage> {
  const [first] = events;
  if (first === undefined) return { inserted: 0, refused: [] };
  const outcome = await insertOrTakeBack(tx, events);
  if (outcome.kind === 'inserted') return { inserted: outcome.count, refused: [] };
  if (events.length === 1) return { inserted: 0, refused: [{ index: first.index, reason: outcome.reason }] };
  const middle = Math.ceil(events.length / 2);
  const one = await insertInHalves(tx, events.slice(0, middle));
  const other = await insertInHalves(tx, events.slice(middle));
  return { inserted: one.inserted + other.inserted, refused: [...one.refused, ...other.refused] };
}

async function insertOrTakeBack(
  tx: Sql,
  placed: readonly Placed[],
): Promise<{ kind: 'inserted'; count: number } | { kind: 'refused'; reason: string }> {
  await tx.query('SAVEPOINT piece');
  try {
    const events = placed.map(({ event }) => event);
    const count = await insertUsage(tx, events);
    await tx.query('RELEASE SAVEPOINT piece');
    return { kind: 'inserted', count };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    await tx.query('ROLLBACK TO SAVEPOINT piece');
    const { constraint } = error as { constraint?: unknown };
    return { kind: 'refused', reason: reasonOf(errorCode(error), typeof constraint === 'string' ? constraint : null) };
  }
}

/** Not PostgreSQL's own message: it could quote the event, which comes from strangers. */
function reasonOf(code: string | undefined, rule: string | null): string {
  return `refused by PostgreSQL (${code}${rule === null ? '' : `, ${rule}`})`;
}
