import { apiKeyPrefix, type Environment, generateApiKey, HASH_VERSION, hashApiKey } from '@tollgate/domain/api-key';
import type { KeyRecord } from '@tollgate/domain/judge-key';
import { isUuid } from '@tollgate/domain/uuid';
import { recordAudit } from './audit.js';
import type { Sql } from './database.js';
import { errorCode, Invalid, NotFound, SQLSTATE } from './errors.js';
import { createSharedValues } from './shared-values.js';
import { validActor, validName, validReason, validScopes } from './text-rules.js';

export interface ApiKey {
  id: string;
  organizationId: string;
  name: string;
  environment: Environment;
  /** The first 12 characters of the secret. */
  prefix: string;
  scopes: string[];
  createdAt: Date;
  createdBy: string;
  expiresAt: Date | undefined;
  revokedAt: Date | undefined;
  revokedReason: string | undefined;
  lastUsedAt: Date | undefined;
  /** The key in whose place this one was made. */
  rotatedFrom: string | undefined;
  /** The key that was made in the place of this one. */
  replacedBy: string | undefined;
}

export interface NewApiKey {
  organizationId: string;
  name: string;
  environment: Environment;
  /** In the future. */
  expiresAt?: Date;
  scopes: readonly string[];
  createdBy: string;
}

/**
 * What a decision needs to know of the key with this hash, or undefined where there is none. Whether a key is revoked by
 * now is for the database's clock to say: a revoked key has a `revokedAtMs` that lies in the past of any clock.
 */
export async function findKeyByHash(db: Sql, hash: string): Promise<KeyRecord | undefined> {
  const [row] = await db.query<KeyRecordRow>(`SELECT ${KEY_RECORD} WHERE k.key_hash = $1`, [hash], 'find-key-by-hash');
  return row && keyRecordOf(row);
}

/**
 * The records of many keys by their hashes, in one statement; those of no key are left out. As {@link findKeyByHash}.
 */
export async function findKeysByHash(db: Sql, hashes: readonly string[]): Promise<Map<string, KeyRecord>> {
  const rows = await db.query<KeyRecordRow & { key_hash: string }>(
    `SELECT k.key_hash, ${KEY_RECORD} WHERE k.key_hash = ANY ($1::text[])`,
    [hashes],
    'find-keys-by-hash',
  );
  return new Map(rows.map((row) => [row.key_hash, keyRecordOf(row)]));
}

/** Makes a key. The secret is nowhere but in this answer. Throws {@link NotFound} for an unknown organization. */
export async function createApiKey(db: Sql, key: NewApiKey, actor: string): Promise<{ secret: string; key: ApiKey }> {
  const values = {
    ...key,
    name: validName(key.name),
    scopes: validScopes(key.scopes),
    createdBy: validActor(key.createdBy),
  };
  if (!isUuid(key.organizationId)) throw new NotFound('there is no such organization');
  return db.transaction((tx) => insertApiKey(tx, values, actor));
}

/** Writes a new key whose texts were checked, with its entry in the audit log. For {@link createApiKey} and rotations. */
export async function insertApiKey(
  tx: Sql,
  key: NewApiKey & { rotatedFrom?: string },
  actor: string,
): Promise<{ secret: string; key: ApiKey }> {
  const secret = generateApiKey(key.environment);
  const [row] = await explained(
    tx.query<{ id: string }>(
      `INSERT INTO api_keys
         (organization_id, name, environment, key_hash, hash_version, prefix, scopes, created_by, expires_at, rotated_from)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`,
      [
        key.organizationId,
        key.name,
        key.environment,
        hashApiKey(secret),
        HASH_VERSION,
        apiKeyPrefix(secret),
        key.scopes,
        key.createdBy,
        key.expiresAt ?? null,
        key.rotatedFrom ?? null,
      ],
    ),
  );
  const created = await getApiKey(tx, row?.id ?? '');
  const { name, environment, prefix, scopes, expiresAt, rotatedFrom } = created;
  const details = { name, environment, prefix, scopes, expires_at: expiresAt ?? null };
  await auditKey(
    tx,
    actor,
    'api_key.create',
    created,
    rotatedFrom === undefined ? details : { ...details, rotated_from: rotatedFrom },
  );
  return { secret, key: created };
}

/** Oldest first. `prefix` is the beginning of the secret, as far as it is stored. */
export async function listApiKeys(db: Sql, filter: { organizationId?: string; prefix?: string }): Promise<ApiKey[]> {
  if (filter.organizationId !== undefined && !isUuid(filter.organizationId)) return [];
  if (filter.prefix?.includes('\0')) return [];
  const rows = await db.query<ApiKeyRow>(
    `${SELECT} WHERE ($1::uuid IS NULL OR k.organization_id = $1) AND ($2::text IS NULL OR starts_with(k.prefix, $2))
     ORDER BY k.created_at, k.id`,
    [filter.organizationId ?? null, filter.prefix ?? null],
  );
  return rows.map(apiKeyOf);
}

export async function findApiKey(db: Sql, id: string): Promise<ApiKey | undefined> {
  if (!isUuid(id.toLowerCase())) return undefined;
  const [row] = await db.query<ApiKeyRow>(`${SELECT} WHERE k.id = $1`, [id]);
  return row && apiKeyOf(row);
}

export async function findApiKeyByHash(db: Sql, hash: string): Promise<ApiKey | undefined> {
  const [row] = await db.query<ApiKeyRow>(`${SELECT} WHERE k.key_hash = $1`, [hash]);
  return row && apiKeyOf(row);
}

/** As {@link findApiKey}, but throws {@link NotFound}. */
export async function getApiKey(db: Sql, id: string): Promise<ApiKey> {
  const key = await findApiKey(db, id);
  if (key === undefined) throw new NotFound('there is no such key');
  return key;
}

/**
 * Revokes the key from now on. A key that was revoked before keeps its time and its reason, and nothing is recorded; so
 * repeating a revocation whose answer was lost is safe. A revocation that was set for later takes effect now.
 */
export async function revokeApiKey(
  db: Sql,
  id: string,
  reason: string | undefined,
  actor: string,
): Promise<{ key: ApiKey; wasRevoked: boolean }> {
  const text = reason === undefined ? null : validReason(reason);
  return db.transaction(async (tx) => {
    const { id: keyId } = await getApiKey(tx, id);
    const changed = await tx.query(
      `UPDATE api_keys SET revoked_at = clock_timestamp(), revoked_reason = coalesce($2, revoked_reason)
       WHERE id = $1 AND (revoked_at IS NULL OR revoked_at > clock_timestamp()) RETURNING id`,
      [keyId, text],
    );
    const key = await getApiKey(tx, keyId);
    if (changed.length > 0) await auditKey(tx, actor, 'api_key.revoke', key, { reason: key.revokedReason ?? null });
    return { key, wasRevoked: changed.length === 0 };
  });
}

/**
 * Notes when keys were last used; an older time never replaces a newer one, and ids of no key are passed over. No audit and no
 * change: using a key changes nothing about it.
 */
export async function recordKeyUse(db: Sql, lastUsed: ReadonlyMap<string, Date>): Promise<void> {
  await db.query(
    `INSERT INTO api_key_activity (key_id, last_used_at)
     SELECT k.id, used.at FROM unnest($1::uuid[], $2::timestamptz[]) AS used (key_id, at) JOIN api_keys AS k ON k.id = used.key_id
     ORDER BY k.id
     ON CONFLICT (key_id) DO UPDATE SET last_used_at = greatest(api_key_activity.last_used_at, excluded.last_used_at)`,
    [[...lastUsed.keys()], [...lastUsed.values()]],
  );
}

/** The hashes of all keys in hex, in their order, `limit` at a time: those after `afterHash` ('' for the first). */
export async function listKeyHashes(db: Sql, afterHash: string, limit: number): Promise<string[]> {
  const rows = await db.query<{ key_hash: string }>(
    'SELECT key_hash FROM api_keys WHERE key_hash > $1 ORDER BY key_hash LIMIT $2',
    [afterHash, limit],
  );
  return rows.map(({ key_hash }) => key_hash);
}

const SELECT = `
  SELECT k.id, k.organization_id, k.name, k.environment, k.prefix, k.scopes, k.created_at, k.created_by, k.expires_at,
    k.revoked_at, k.revoked_reason, a.last_used_at, k.rotated_from, n.id AS replaced_by
  FROM api_keys AS k LEFT JOIN api_key_activity AS a ON a.key_id = k.id LEFT JOIN api_keys AS n ON n.rotated_from = k.id`;

const KEY_RECORD = `
  k.id, k.organization_id, k.environment, k.scopes, o.plan, o.is_active, k.expires_at, k.revoked_at,
    coalesce(k.revoked_at <= clock_timestamp(), false) AS is_revoked
  FROM api_keys AS k JOIN organizations AS o ON o.id = k.organization_id`;

interface ApiKeyRow {
  id: string;
  organization_id: string;
  name: string;
  environment: Environment;
  prefix: string;
  scopes: string[];
  created_at: Date;
  created_by: string;
  expires_at: Date | null;
  revoked_at: Date | null;
  revoked_reason: string | null;
  last_used_at: Date | null;
  rotated_from: string | null;
  replaced_by: string | null;
}

function apiKeyOf(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    organizationId: row.organization_id,
    name: row.name,
    environment: row.environment,
    prefix: row.prefix,
    scopes: row.scopes,
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
    revokedReason: row.revoked_reason ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
    rotatedFrom: row.rotated_from ?? undefined,
    replacedBy: row.replaced_by ?? undefined,
  };
}

interface KeyRecordRow
  extends Pick<ApiKeyRow, 'id' | 'organization_id' | 'environment' | 'scopes' | 'expires_at' | 'revoked_at'> {
  plan: string;
  is_active: boolean;
  is_revoked: boolean;
}

const MAX_SHARED = 10_000;
const texts = createSharedValues<string>(MAX_SHARED);
const scopeLists = createSharedValues<readonly string[]>(MAX_SHARED);

function keyRecordOf(row: KeyRecordRow): KeyRecord {
  return {
    id: row.id,
    organizationId: texts.share(row.organization_id, row.organization_id),
    environment: row.environment === 'live' ? 'live' : 'test',
    scopes: scopeLists.share(JSON.stringify(row.scopes), row.scopes),
    plan: texts.share(row.plan, row.plan),
    organizationIsActive: row.is_active,
    expiresAtMs: row.expires_at?.getTime(),
    revokedAtMs: row.is_revoked ? 0 : row.revoked_at?.getTime(),
  };
}

async function explained<T>(write: Promise<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (errorCode(error) === SQLSTATE.foreignKeyViolation) throw new NotFound('there is no such organization');
    if ((error as { constraint?: string }).constraint === 'api_keys_expire_after_creation')
      throw new Invalid('the key must expire in the future');
    throw error;
  }
}

/** Notes what was done to a key. */
export function auditKey(tx: Sql, actor: string, action: string, key: ApiKey, details: Record<string, unknown>): Promise<void> {
  return recordAudit(tx, {
    actor,
    action,
    subjectKind: 'api_key',
    subjectId: key.id,
    organizationId: key.organizationId,
    details,
  });
}
