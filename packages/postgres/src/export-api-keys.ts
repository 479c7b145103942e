import type { Environment } from '@tollgate/domain/api-key';
import type { KeyRow } from '@tollgate/domain/key-row';
import { isUuid } from '@tollgate/domain/uuid';
import type { Sql } from './database.js';

const PAGE_ROWS = 2_000;

/**
 * All keys, or those of one organization, page by page, by id. Each key that exists throughout comes once; one that is made
 * meanwhile may be missing. Hashes and what describes the keys: never a secret, since none is stored.
 */
export async function* exportApiKeys(
  db: Sql,
  { organizationId, pageRows = PAGE_ROWS }: { organizationId?: string; pageRows?: number } = {},
): AsyncGenerator<KeyRow[], void, void> {
  if (organizationId !== undefined && !isUuid(organizationId)) return;
  let afterId: string | null = null;
  for (;;) {
    const rows: ExportRow[] = await db.query<ExportRow>(SELECT, [organizationId ?? null, afterId, pageRows]);
    if (rows.length > 0) yield rows.map(keyRowOf);
    if (rows.length < pageRows) return;
    afterId = rows.at(-1)?.id ?? null;
  }
}

const SELECT = `
  SELECT k.id, o.name AS organization, k.name, k.environment, k.key_hash, k.prefix, k.scopes, k.created_at, k.created_by,
    k.expires_at, k.revoked_at, k.revoked_reason
  FROM api_keys AS k JOIN organizations AS o ON o.id = k.organization_id
  WHERE ($1::uuid IS NULL OR k.organization_id = $1) AND ($2::uuid IS NULL OR k.id > $2)
  ORDER BY k.id LIMIT $3`;

interface ExportRow {
  id: string;
  organization: string;
  name: string;
  environment: Environment;
  key_hash: string;
  prefix: string;
  scopes: string[];
  created_at: Date;
  created_by: string;
  expires_at: Date | null;
  revoked_at: Date | null;
  revoked_reason: string | null;
}

function keyRowOf(row: ExportRow): KeyRow {
  return {
    id: row.id,
    organization: row.organization,
    name: row.name,
    environment: row.environment,
    keyHash: row.key_hash,
    prefix: row.prefix,
    scopes: row.scopes,
    createdAt: row.created_at,
    createdBy: row.created_by,
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
    ...(row.revoked_reason === null ? {} : { revokedReason: row.revoked_reason }),
  };
}
