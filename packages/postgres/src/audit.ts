import { isUuid } from '@tollgate/domain/uuid';
import type { Sql } from './database.js';
import { Invalid } from './errors.js';
import { validActor } from './text-rules.js';

export interface AuditEntry {
  actor: string;
  /** `noun.verb`, such as `api_key.revoke`. */
  action: string;
  subjectKind: 'organization' | 'api_key' | 'plan' | 'limits' | 'counters';
  subjectId: string;
  organizationId?: string;
  /** What was set. Never a secret. */
  details?: Record<string, unknown>;
}

export interface AuditRecord extends AuditEntry {
  /** Later entries have greater ids; a whole number as text. */
  id: string;
  at: Date;
  details: Record<string, unknown>;
}

/** Belongs into the transaction of what it tells, so that neither exists without the other. */
export async function recordAudit(tx: Sql, entry: AuditEntry): Promise<void> {
  await tx.query(
    'INSERT INTO audit_log (actor, action, subject_kind, subject_id, organization_id, details) VALUES ($1, $2, $3, $4, $5, $6)',
    [
      validActor(entry.actor),
      entry.action,
      entry.subjectKind,
      entry.subjectId,
      entry.organizationId ?? null,
      JSON.stringify(entry.details ?? {}),
    ],
  );
}

/**
 * Newest first: of one organization, its keys and limits among it, or of all. The next page is what lies `beforeId` of the last.
 */
export async function listAudit(
  db: Sql,
  { organizationId, beforeId, limit }: { organizationId?: string; beforeId?: string; limit: number },
): Promise<AuditRecord[]> {
  if (organizationId !== undefined && !isUuid(organizationId)) return [];
  if (beforeId !== undefined && !/^\d{1,18}$/.test(beforeId)) throw new Invalid('a page begins before the id of an entry');
  const rows = await db.query<AuditRow>(
    `SELECT id, at, actor, action, subject_kind, subject_id, organization_id, details FROM audit_log
     WHERE ($1::uuid IS NULL OR organization_id = $1) AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
    [organizationId ?? null, beforeId ?? null, limit],
  );
  return rows.map((row) => ({
    id: row.id,
    at: row.at,
    actor: row.actor,
    action: row.action,
    subjectKind: row.subject_kind,
    subjectId: row.subject_id,
    ...(row.organization_id === null ? {} : { organizationId: row.organization_id }),
    details: row.details,
  }));
}

interface AuditRow {
  id: string;
  at: Date;
  actor: string;
  action: string;
  subject_kind: AuditEntry['subjectKind'];
  subject_id: string;
  organization_id: string | null;
  details: Record<string, unknown>;
}
