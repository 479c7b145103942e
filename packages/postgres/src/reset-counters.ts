import { recordAudit } from './audit.js';
import type { Sql } from './database.js';

/** Whose counters: the organization's, or with a `keyId` those of the limits that this key has of its own. */
export interface CountersReset {
  organizationId: string;
  keyId?: string;
  /** Of the store, such as `organization:minute`. */
  limitIds: readonly string[];
}

/**
 * Has counters reset and says so in the audit log. They lie in another store, so `reset` runs before the entry is committed:
 * where it fails, nothing is said, and a reset that nobody hears of takes a database that is lost in that very moment.
 */
export async function resetCounters(
  db: Sql,
  { organizationId, keyId, limitIds }: CountersReset,
  actor: string,
  reset: (organizationId: string, limitIds: readonly string[]) => Promise<void>,
): Promise<void> {
  await db.transaction(async (tx) => {
    const details = { limits: limitIds, ...(keyId === undefined ? {} : { key_id: keyId }) };
    const subjectId = keyId ?? organizationId;
    await recordAudit(tx, { actor, action: 'counters.reset', subjectKind: 'counters', subjectId, organizationId, details });
    await reset(organizationId, limitIds);
  });
}
