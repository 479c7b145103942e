import { isUtf8 } from 'node:buffer';
import { type ParsedUsageEvent, parseUsageEvent, type UsageEvent } from '@tollgate/domain/usage-event';
import type { Database, Sql } from './database.js';
import { insertAcceptableUsage } from './insert-acceptable-usage.js';
import { createUsagePartitions } from './insert-usage.js';

export interface ReplayOptions {
  /** Only these; without it, all that were not replayed yet. */
  ids?: readonly bigint[];
  /** Judges what is too old and what is too far ahead. */
  nowMs: number;
}

export interface ReplayReport {
  /** Letters that are events now. */
  stored: number;
  /** Letters whose event had been stored before; they are done with too. */
  duplicates: number;
  /** Of the ids that were asked for: replayed before, or unknown. */
  passedOver: number;
  /** What is still no event, in the order of the ids. It stays as it was. */
  failed: { id: bigint; reason: string }[];
}

const PAGE = 500;

/**
 * Judges dead letters anew and stores those that are events by now, each page with its marks in one transaction: a letter is
 * replayed once, however often and from however many places that is asked for. Their offsets were passed long ago and stay.
 */
export async function replayDeadLetters(db: Database, { ids, nowMs }: ReplayOptions): Promise<ReplayReport> {
  const report: ReplayReport = { stored: 0, duplicates: 0, passedOver: 0, failed: [] };
  let seen = 0;
  let after = 0n;
  for (;;) {
    const page = await readPage(db, ids, after);
    const last = page.at(-1);
    if (last === undefined) break;
    await replayPage(db, page, nowMs, report);
    seen += page.length;
    after = BigInt(last.id);
  }
  if (ids !== undefined) report.passedOver += new Set(ids).size - seen;
  return report;
}

interface Letter {
  id: string;
  value: Buffer;
  value_bytes: string;
}

function readPage(db: Sql, ids: readonly bigint[] | undefined, after: bigint): Promise<Letter[]> {
  return db.query<Letter>(
    `SELECT id, value, value_bytes FROM usage_dead_letters
     WHERE replayed_at IS NULL AND id > $1 AND ($2::bigint[] IS NULL OR id = ANY ($2)) ORDER BY id LIMIT $3`,
    [after.toString(), ids?.map(String) ?? null, PAGE],
  );
}

async function replayPage(db: Database, page: readonly Letter[], nowMs: number, report: ReplayReport): Promise<void> {
  const events = new Map<string, UsageEvent>();
  for (const letter of page) {
    const parsed = judgeLetter(letter, nowMs);
    if (parsed.kind === 'event') events.set(letter.id, parsed.event);
    else report.failed.push({ id: BigInt(letter.id), reason: parsed.reason });
  }
  await createUsagePartitions(db, [...events.values()]);
  await db.transaction(async (tx) => {
    const locked = await lockLetters(tx, [...events.keys()]);
    const mine = locked.flatMap((id) => events.get(id) ?? []);
    const { inserted, refused } = await insertAcceptableUsage(tx, mine);
    const still = new Map(refused.map(({ index, reason }) => [locked[index], reason]));
    const done = locked.filter((id) => !still.has(id));
    await tx.query('UPDATE usage_dead_letters SET replayed_at = now() WHERE id = ANY ($1::bigint[])', [done]);
    report.stored += inserted;
    report.duplicates += done.length - inserted;
    report.passedOver += events.size - locked.length;
    for (const [id, reason] of still) report.failed.push({ id: BigInt(id ?? 0), reason });
  });
}

/** Those that nobody replayed since they were read; another replay that is under way is waited for. */
async function lockLetters(tx: Sql, ids: readonly string[]): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    'SELECT id FROM usage_dead_letters WHERE id = ANY ($1::bigint[]) AND replayed_at IS NULL ORDER BY id FOR UPDATE',
    [ids],
  );
  return rows.map(({ id }) => id);
}

function judgeLetter({ value, value_bytes }: Letter, nowMs: number): ParsedUsageEvent {
  if (Number(value_bytes) > value.length) return { kind: 'rejected', reason: 'too long: only its beginning was kept' };
  if (!isUtf8(value)) return { kind: 'rejected', reason: 'not UTF-8' };
  return parseUsageEvent(Buffer.from(value).toString('utf8'), nowMs);
}
