import { effectiveLimits, type Limits } from '@tollgate/domain/limits';
import { isUuid } from '@tollgate/domain/uuid';
import { recordAudit } from './audit.js';
import type { Sql } from './database.js';
import { Conflict, errorCode, Invalid, NotFound, SQLSTATE } from './errors.js';
import { type LimitColumns, limitsOf, overrideOf } from './limit-columns.js';
import { lockPlan } from './plans.js';
import { checkStoredLimits } from './stored-limits.js';
import { validName } from './text-rules.js';

export interface Organization {
  id: string;
  name: string;
  plan: string;
  isActive: boolean;
  billingAnchorDay: number;
  createdAt: Date;
  /** In force: the plan's, with what the organization overrides. */
  limits: Limits;
}

export interface OrganizationSettings {
  name: string;
  plan: string;
  /** 1 to 31. */
  billingAnchorDay: number;
}

/** Throws Conflict for a name that is taken (case does not matter), NotFound for an unknown plan, Invalid for the rest. */
export async function createOrganization(db: Sql, settings: OrganizationSettings, actor: string): Promise<Organization> {
  const name = validName(settings.name);
  checkAnchorDay(settings.billingAnchorDay);
  return db.transaction(async (tx) => {
    await lockPlan(tx, settings.plan);
    const [row] = await namesAreUnique(
      tx.query<{ id: string }>('INSERT INTO organizations (name, plan, billing_anchor_day) VALUES ($1, $2, $3) RETURNING id', [
        name,
        settings.plan,
        settings.billingAnchorDay,
      ]),
    );
    const organization = await getOrganization(tx, row?.id ?? '');
    await audit(tx, actor, 'organization.create', organization.id, { ...settings, name });
    return organization;
  });
}

/** By name. */
export async function listOrganizations(db: Sql): Promise<Organization[]> {
  return (await db.query<OrganizationRow>(`${SELECT} ORDER BY lower(o.name)`)).map(organizationOf);
}

/** By id, or else by name in any case. */
export async function findOrganization(db: Sql, idOrName: string): Promise<Organization | undefined> {
  const id = idOrName.toLowerCase();
  // PostgreSQL refuses NUL in a text; no name holds one.
  if (idOrName.includes('\0') || !idOrName.isWellFormed()) return undefined;
  const [row] = isUuid(id)
    ? await db.query<OrganizationRow>(`${SELECT} WHERE o.id = $1`, [id])
    : await db.query<OrganizationRow>(`${SELECT} WHERE lower(o.name) = lower($1)`, [idOrName.trim()]);
  return row && organizationOf(row);
}

/** As {@link findOrganization}, but throws {@link NotFound}. */
export async function getOrganization(db: Sql, idOrName: string): Promise<Organization> {
  const organization = await findOrganization(db, idOrName);
  if (organization === undefined) throw new NotFound('there is no such organization');
  return organization;
}

/** Changes what is given. A change of plan is refused (Conflict) where the organization's overrides would not fit the new one. */
export async function updateOrganization(
  db: Sql,
  id: string,
  patch: Partial<OrganizationSettings>,
  actor: string,
): Promise<Organization> {
  const settings = patch.name === undefined ? patch : { ...patch, name: validName(patch.name) };
  if (patch.billingAnchorDay !== undefined) checkAnchorDay(patch.billingAnchorDay);
  return db.transaction(async (tx) => {
    await lockOrganization(tx, id);
    if (settings.plan !== undefined) await lockPlan(tx, settings.plan);
    await namesAreUnique(
      tx.query(
        `UPDATE organizations SET name = coalesce($2, name), plan = coalesce($3, plan), billing_anchor_day = coalesce($4, billing_anchor_day)
         WHERE id = $1`,
        [id, settings.name ?? null, settings.plan ?? null, settings.billingAnchorDay ?? null],
      ),
    );
    if (settings.plan !== undefined) await checkStoredLimits(tx, { organizationId: id });
    await audit(tx, actor, 'organization.update', id, { ...settings });
    return getOrganization(tx, id);
  });
}

/** Suspends or resumes. Where nothing changes, nothing is recorded. */
export async function setOrganizationActive(db: Sql, id: string, isActive: boolean, actor: string): Promise<Organization> {
  return db.transaction(async (tx) => {
    await lockOrganization(tx, id);
    const changed = await tx.query('UPDATE organizations SET is_active = $2 WHERE id = $1 AND is_active <> $2 RETURNING id', [
      id,
      isActive,
    ]);
    if (changed.length > 0) await audit(tx, actor, isActive ? 'organization.resume' : 'organization.suspend', id, {});
    return getOrganization(tx, id);
  });
}

/** Keeps other writers of this organization and of its limits away until the end of the transaction. */
export async function lockOrganization(tx: Sql, id: string): Promise<void> {
  const rows = isUuid(id) ? await tx.query('SELECT FROM organizations WHERE id = $1 FOR NO KEY UPDATE', [id]) : [];
  if (rows.length === 0) throw new NotFound('there is no such organization');
}

const SELECT = `
  SELECT o.id, o.name, o.plan, o.is_active, o.billing_anchor_day, o.created_at,
    p.per_minute, p.burst, p.per_day, p.per_month,
    c.per_minute AS own_per_minute, c.burst AS own_burst, c.per_day AS own_per_day, c.per_month AS own_per_month
  FROM organizations AS o JOIN plans AS p ON p.name = o.plan
  LEFT JOIN rate_limit_configs AS c ON c.organization_id = o.id AND c.key_id IS NULL`;

interface OrganizationRow extends LimitColumns {
  id: string;
  name: string;
  plan: string;
  is_active: boolean;
  billing_anchor_day: number;
  created_at: Date;
  own_per_minute: string | null;
  own_burst: string | null;
  own_per_day: string | null;
  own_per_month: string | null;
}

function organizationOf(row: OrganizationRow): Organization {
  const override = overrideOf({
    per_minute: row.own_per_minute,
    burst: row.own_burst,
    per_day: row.own_per_day,
    per_month: row.own_per_month,
  });
  return {
    id: row.id,
    name: row.name,
    plan: row.plan,
    isActive: row.is_active,
    billingAnchorDay: row.billing_anchor_day,
    createdAt: row.created_at,
    limits: effectiveLimits(limitsOf(row), override),
  };
}

function checkAnchorDay(day: number): void {
  if (!Number.isInteger(day) || day < 1 || day > 31)
    throw new Invalid('the billing anchor day must be a whole number from 1 to 31');
}

async function namesAreUnique<T>(write: Promise<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (errorCode(error) === SQLSTATE.uniqueViolation) throw new Conflict('an organization of this name exists already');
    throw error;
  }
}

function audit(tx: Sql, actor: string, action: string, id: string, details: Record<string, unknown>): Promise<void> {
  return recordAudit(tx, { actor, action, subjectKind: 'organization', subjectId: id, organizationId: id, details });
}
