import { hash } from 'node:crypto';
import type { Sql } from './database.js';

/** A record of the event log that is no event. */
export interface DeadLetter {
  offset: bigint;
  value: Buffer;
  /** In words for a person; never a part of the value. */
  reason: string;
}

export interface StoredDeadLetter extends DeadLetter {
  id: bigint;
  logId: string;
  topic: string;
  partition: number;
  /** SHA-256 of the whole value in hex. */
  valueHash: string;
  /** Of the whole value; `value` is at most its first 64 KiB. */
  valueBytes: number;
  at: Date;
  /** When it became an event after all; null for one that is still none. */
  replayedAt: Date | null;
}

const KEPT_BYTES = 65_536;

/** Keeps what is not kept yet from this place of the log; returns how many that were. */
export async function insertDeadLetters(
  tx: Sql,
  place: { logId: string; topic: string; partition: number },
  letters: readonly DeadLetter[],
): Promise<number> {
  if (letters.length === 0) return 0;
  const rows = await tx.query(
    `INSERT INTO usage_dead_letters (log_id, topic, partition, "offset", reason, value, value_hash, value_bytes)
     SELECT $1, $2, $3, letter.* FROM unnest($4::bigint[], $5::text[], $6::bytea[], $7::text[], $8::bigint[]) AS letter
     ON CONFLICT ON CONSTRAINT usage_dead_letters_place_key DO NOTHING RETURNING 1 AS kept`,
    [
      place.logId,
      place.topic,
      place.partition,
      letters.map(({ offset }) => offset.toString()),
      letters.map(({ reason }) => reason),
      letters.map(({ value }) => value.subarray(0, KEPT_BYTES)),
      letters.map(({ value }) => hash('sha256', value, 'hex')),
      letters.map(({ value }) => value.length),
    ],
  );
  return rows.length;
}

/** Oldest first, `limit` at a time: those after `afterId`. */
export async function listDeadLetters(
  db: Sql,
  { afterId = 0n, limit }: { afterId?: bigint; limit: number },
): Promise<StoredDeadLetter[]> {
  const rows = await db.query<DeadLetterRow>(
    `SELECT id, log_id, topic, partition, "offset", reason, value, value_hash, value_bytes, at, replayed_at FROM usage_dead_letters
     WHERE id > $1 ORDER BY id LIMIT $2`,
    [afterId.toString(), limit],
  );
  return rows.map((row) => ({
    id: BigInt(row.id),
    logId: row.log_id,
    topic: row.topic,
    partition: row.partition,
    offset: BigInt(row.offset),
    reason: row.reason,
    value: row.value,
    valueHash: row.value_hash,
    valueBytes: Number(row.value_bytes),
    at: row.at,
    replayedAt: row.replayed_at,
  }));
}

interface DeadLetterRow {
  id: string;
  log_id: string;
  topic: string;
  partition: number;
  offset: string;
  reason: string;
  value: Buffer;
  value_hash: string;
  value_bytes: string;
  at: Date;
  replayed_at: Date | null;
}
