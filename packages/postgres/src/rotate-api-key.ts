import { type ApiKey, auditKey, getApiKey, insertApiKey } from './api-keys.js';
import type { Sql } from './database.js';
import { Conflict, Invalid } from './errors.js';
import { lockOrganization } from './organizations.js';
import { lockPlan } from './plans.js';

export interface Rotation {
  /** How long the old key goes on. With 0 it is revoked at once. */
  overlapMs: number;
  /** The end of the new key; null for none. See {@link rotateApiKey} for what holds without it. */
  expiresAt?: Date | null;
}

export interface RotatedApiKey {
  /** Of the new key; nowhere but in this answer. */
  secret: string;
  key: ApiKey;
  /** The old key, with its end. */
  rotated: ApiKey;
}

const LONGEST_OVERLAP_MS = 366 * 86_400_000;

/**
 * Makes a key in the place of another: the same organization, name, environment, scopes, owner and limits of its own. The old
 * one ends after the overlap, or earlier where it already had an end; nothing more has to be written for that. The new one
 * keeps an end that lies beyond the overlap, and else gets as long a life as the old one had, so that a rotation makes no
 * key for ever out of one that was to end. Throws Conflict for a key that is revoked, expired or rotated already.
 */
export async function rotateApiKey(db: Sql, id: string, rotation: Rotation, actor: string): Promise<RotatedApiKey> {
  const { overlapMs } = rotation;
  if (!Number.isInteger(overlapMs) || overlapMs < 0 || overlapMs > LONGEST_OVERLAP_MS)
    throw new Invalid('the overlap must be from 0 to 366 days');
  return db.transaction(async (tx) => {
    // The lock lets one of two rotations win, and keeps its limits and a revocation from changing under us.
    const { id: keyId, organizationId } = await getApiKey(tx, id);
    await lockOrganization(tx, organizationId);
    await tx.query('SELECT FROM api_keys WHERE id = $1 FOR NO KEY UPDATE', [keyId]);
    const old = await getApiKey(tx, keyId);
    const nowMs = await databaseNowMs(tx);
    checkIsInForce(old, nowMs);
    const { name, environment, scopes, createdBy } = old;
    const expiresAt = rotation.expiresAt === undefined ? inheritedEnd(old, nowMs, overlapMs) : (rotation.expiresAt ?? undefined);
    const values = { organizationId, name, environment, scopes, createdBy, rotatedFrom: old.id };
    const { secret, key } = await insertApiKey(tx, { ...values, ...(expiresAt === undefined ? {} : { expiresAt }) }, actor);
    await copyLimits(tx, old.id, key.id);
    await endKey(tx, old.id, overlapMs);
    const rotated = await getApiKey(tx, old.id);
    const endsAt = rotated.revokedAt ?? rotated.expiresAt;
    await auditKey(tx, actor, 'api_key.rotate', rotated, { replaced_by: key.id, overlap_ms: overlapMs, ends_at: endsAt ?? null });
    return { secret, key, rotated };
  });
}

function checkIsInForce(key: ApiKey, nowMs: number): void {
  if (key.replacedBy !== undefined) throw new Conflict(`the key was rotated already: ${key.replacedBy} is in its place`);
  if (key.revokedAt !== undefined && key.revokedAt.getTime() <= nowMs) throw new Conflict('a revoked key cannot be rotated');
  if (key.expiresAt !== undefined && key.expiresAt.getTime() <= nowMs) throw new Conflict('an expired key cannot be rotated');
}

function inheritedEnd({ createdAt, expiresAt }: ApiKey, nowMs: number, overlapMs: number): Date | undefined {
  if (expiresAt === undefined || expiresAt.getTime() > nowMs + overlapMs) return expiresAt;
  return new Date(nowMs + expiresAt.getTime() - createdAt.getTime());
}

async function endKey(tx: Sql, id: string, overlapMs: number): Promise<void> {
  if (overlapMs === 0) {
    await tx.query(
      "UPDATE api_keys SET revoked_at = clock_timestamp(), revoked_reason = coalesce(revoked_reason, 'rotated') WHERE id = $1",
      [id],
    );
    return;
  }
  // least() passes over null: no end yet.
  await tx.query(
    "UPDATE api_keys SET expires_at = least(expires_at, clock_timestamp() + $2 * interval '1 millisecond') WHERE id = $1",
    [id, overlapMs],
  );
}

async function copyLimits(tx: Sql, fromId: string, toId: string): Promise<void> {
  const [limited] = await tx.query<{ plan: string }>(
    `SELECT o.plan FROM rate_limit_configs AS c JOIN organizations AS o ON o.id = c.organization_id WHERE c.key_id = $1`,
    [fromId],
  );
  if (limited === undefined) return;
  await lockPlan(tx, limited.plan);
  await tx.query(
    `INSERT INTO rate_limit_configs (organization_id, key_id, per_minute, burst, per_day, per_month)
     SELECT organization_id, $2, per_minute, burst, per_day, per_month FROM rate_limit_configs WHERE key_id = $1`,
    [fromId, toId],
  );
}

async function databaseNowMs(tx: Sql): Promise<number> {
  const [row] = await tx.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  if (row === undefined) throw new Error('the database told no time');
  return row.now.getTime();
}
