import {
  effectiveLimits,
  isInShadow,
  type Limits,
  type LimitsOverride,
  limitProblems,
  type OrganizationLimits,
  type Plan,
} from '@tollgate/domain/limits';
import { isUuid } from '@tollgate/domain/uuid';
import { recordAudit } from './audit.js';
import type { Sql } from './database.js';
import { Invalid, NotFound } from './errors.js';
import {
  columnsOf,
  type LimitColumns,
  type LimitsPatch,
  limitsOf,
  overrideOf,
  patched,
  type ShadowColumn,
} from './limit-columns.js';
import { lockOrganization } from './organizations.js';
import { lockPlan } from './plans.js';
import { checkStoredLimits } from './stored-limits.js';

/** Whose limits: the organization's, or with a `keyId` those of one of its keys. */
export interface LimitsSubject {
  organizationId: string;
  keyId?: string;
}

export interface LimitsInForce {
  organizationId: string;
  plan: Plan;
  override: LimitsOverride;
  effective: Limits;
  /** Of the organization's limits; of a key's own, its override says it. */
  isShadow: boolean;
  keys: { keyId: string; override: LimitsOverride; effective: Limits }[];
}

/** Undefined where there is no such organization. */
export async function findOrganizationLimits(db: Sql, organizationId: string): Promise<OrganizationLimits | undefined> {
  const found = await readLimits(db, organizationId);
  if (found === undefined) return undefined;
  const { name: _, ...plan } = found.plan;
  return { plan, override: found.override, billingAnchorDay: found.billingAnchorDay, keyLimits: found.keyLimits };
}

/** Everything about the limits of an organization and its keys, for people. Throws {@link NotFound}. */
export async function getLimits(db: Sql, organizationId: string): Promise<LimitsInForce> {
  const found = await readLimits(db, organizationId);
  if (found === undefined) throw new NotFound('there is no such organization');
  const effective = effectiveLimits(found.plan, found.override);
  const keys = [...found.keyLimits].map(([keyId, override]) => ({
    keyId,
    override,
    effective: effectiveLimits(effective, override),
  }));
  const isShadow = isInShadow(found.plan, found.override);
  return { organizationId, plan: found.plan, override: found.override, effective, isShadow, keys };
}

/**
 * Changes the parts that are given; null gives a part back to the plan, and so does a new rate with the burst. Throws
 * {@link Invalid} where the limits in force would not fit together, {@link NotFound} for an unknown organization or key.
 */
export async function setLimits(db: Sql, subject: LimitsSubject, patch: LimitsPatch, actor: string): Promise<LimitsInForce> {
  return changeLimits(db, subject, 'limits.set', actor, (current) => patched(current, patch));
}

/** Gives all parts back to the plan, or a key's to its organization. */
export async function clearLimits(db: Sql, subject: LimitsSubject, actor: string): Promise<LimitsInForce> {
  return changeLimits(db, subject, 'limits.clear', actor, () => ({}));
}

async function changeLimits(
  db: Sql,
  { organizationId, keyId }: LimitsSubject,
  action: string,
  actor: string,
  change: (current: LimitsOverride) => LimitsOverride,
): Promise<LimitsInForce> {
  return db.transaction(async (tx) => {
    await lockOrganization(tx, organizationId);
    if (keyId !== undefined) await checkKey(tx, organizationId, keyId);
    const before = await getLimits(tx, organizationId);
    await lockPlan(tx, before.plan.name);
    const current = keyId === undefined ? before.override : before.keys.find((key) => key.keyId === keyId)?.override;
    const override = change(current ?? {});
    const base = keyId === undefined ? before.plan : before.effective;
    const problems = limitProblems(effectiveLimits(base, override));
    if (keyId !== undefined && isOnlyShadow(override))
      throw new Invalid('the key has no limits of its own that could be in shadow; give it some in the same step');
    if (problems.length > 0) throw new Invalid(problems.join('; '));
    await writeOverride(tx, organizationId, keyId, override);
    await checkStoredLimits(tx, { organizationId });
    const details = keyId === undefined ? { ...override } : { key_id: keyId, ...override };
    await recordAudit(tx, { actor, action, subjectKind: 'limits', subjectId: keyId ?? organizationId, organizationId, details });
    return getLimits(tx, organizationId);
  });
}

function isOnlyShadow({ isShadow, ...limits }: LimitsOverride): boolean {
  return isShadow !== undefined && Object.keys(limits).length === 0;
}

async function writeOverride(
  tx: Sql,
  organizationId: string,
  keyId: string | undefined,
  override: LimitsOverride,
): Promise<void> {
  if (Object.keys(override).length === 0) {
    await tx.query('DELETE FROM rate_limit_configs WHERE organization_id = $1 AND key_id IS NOT DISTINCT FROM $2', [
      organizationId,
      keyId ?? null,
    ]);
    return;
  }
  await tx.query(
    `INSERT INTO rate_limit_configs (organization_id, key_id, per_minute, burst, per_day, per_month, is_shadow)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (organization_id, key_id) DO UPDATE SET per_minute = excluded.per_minute, burst = excluded.burst,
       per_day = excluded.per_day, per_month = excluded.per_month, is_shadow = excluded.is_shadow, updated_at = now()`,
    [organizationId, keyId ?? null, ...columnsOf(override)],
  );
}

async function checkKey(tx: Sql, organizationId: string, keyId: string): Promise<void> {
  const rows = isUuid(keyId)
    ? await tx.query('SELECT FROM api_keys WHERE id = $1 AND organization_id = $2', [keyId, organizationId])
    : [];
  if (rows.length === 0) throw new NotFound('the organization has no such key');
}

async function readLimits(db: Sql, organizationId: string): Promise<(OrganizationLimits & { plan: Plan }) | undefined> {
  if (!isUuid(organizationId)) return undefined;
  // One statement, so that plan and overrides are of the same moment. The first row of the two kinds is the organization's.
  const rows = await db.query<LimitsRow>(
    `SELECT NULL::uuid AS key_id, p.name AS plan, o.billing_anchor_day, p.per_minute, p.burst, p.per_day, p.per_month,
       p.is_shadow
     FROM organizations AS o JOIN plans AS p ON p.name = o.plan WHERE o.id = $1
     UNION ALL
     SELECT c.key_id, NULL, NULL, c.per_minute, c.burst, c.per_day, c.per_month, c.is_shadow
     FROM rate_limit_configs AS c WHERE c.organization_id = $1
     ORDER BY plan NULLS LAST, key_id NULLS FIRST`,
    [organizationId],
    'read-limits',
  );
  const [first, ...configs] = rows;
  if (first?.plan == null || first.billing_anchor_day === null) return undefined;
  const own = configs.find(({ key_id }) => key_id === null);
  const ofKeys = configs.flatMap((row): [string, LimitsOverride][] =>
    row.key_id === null ? [] : [[row.key_id, overrideOf(row)]],
  );
  return {
    plan: { name: first.plan, ...limitsOf(first), isShadow: first.is_shadow === true },
    override: own === undefined ? {} : overrideOf(own),
    billingAnchorDay: first.billing_anchor_day,
    keyLimits: new Map(ofKeys),
  };
}

interface LimitsRow extends LimitColumns, ShadowColumn {
  key_id: string | null;
  plan: string | null;
  billing_anchor_day: number | null;
}
