import { effectiveLimits, type Limits, limitProblems, type Plan } from '@tollgate/domain/limits';
import { recordAudit } from './audit.js';
import type { Sql } from './database.js';
import { Invalid, NotFound } from './errors.js';
import { columnsOf, type LimitColumns, type LimitsPatch, limitsOf, patched, type ShadowColumn } from './limit-columns.js';
import { checkStoredLimits } from './stored-limits.js';

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const SELECT = 'SELECT name, per_minute, burst, per_day, per_month, is_shadow FROM plans';

/** By their limit per minute, smallest first. */
export async function listPlans(db: Sql): Promise<Plan[]> {
  const rows = await db.query<PlanRow>(`${SELECT} ORDER BY per_minute, name`);
  return rows.map(planOf);
}

/** The plan, which cannot change before the end of the transaction. Throws {@link NotFound}. */
export async function lockPlan(tx: Sql, name: string): Promise<Plan> {
  const rows = NAME.test(name) ? await tx.query<PlanRow>(`${SELECT} WHERE name = $1 FOR SHARE`, [name]) : [];
  if (rows[0] === undefined) throw new NotFound('there is no plan of this name');
  return planOf(rows[0]);
}

/**
 * Makes a plan, or changes the parts that are given. A new rate without a burst keeps the plan's ratio; a new plan needs
 * rate, burst and day, and is enforced unless it says otherwise. Throws {@link Invalid} where the limits do not fit together, and Conflict where an override
 * of one of the plan's organizations would not fit any more.
 */
export async function setPlan(db: Sql, name: string, patch: LimitsPatch, actor: string): Promise<Plan> {
  if (!NAME.test(name))
    throw new Invalid('the name of a plan has 1 to 63 small letters, digits, - or _, and begins with a letter or a digit');
  return db.transaction(async (tx) => {
    const [current] = await tx.query<PlanRow>(`${SELECT} WHERE name = $1 FOR UPDATE`, [name]);
    const limits = current === undefined ? newLimits(patch) : changedLimits(limitsOf(current), patch);
    const problems = limitProblems(limits);
    if (problems.length > 0) throw new Invalid(problems.join('; '));
    const plan = { name, ...limits, isShadow: patch.isShadow ?? current?.is_shadow ?? false };
    await tx.query(
      `INSERT INTO plans (name, per_minute, burst, per_day, per_month, is_shadow) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (name) DO UPDATE SET per_minute = excluded.per_minute, burst = excluded.burst, per_day = excluded.per_day,
         per_month = excluded.per_month, is_shadow = excluded.is_shadow`,
      [name, ...columnsOf(plan)],
    );
    await checkStoredLimits(tx, { plan: name });
    await recordAudit(tx, {
      actor,
      action: 'plan.set',
      subjectKind: 'plan',
      subjectId: name,
      details: { ...limits, isShadow: plan.isShadow },
    });
    return plan;
  });
}

function newLimits(patch: LimitsPatch): Limits {
  const { perMinute, burst, perDay, perMonth } = patch;
  if (typeof perMinute !== 'number' || typeof burst !== 'number' || typeof perDay !== 'number')
    throw new Invalid('a new plan needs a limit per minute, a burst and a limit per day');
  return { perMinute, burst, perDay, ...(typeof perMonth === 'number' ? { perMonth } : {}) };
}

function changedLimits(current: Limits, patch: LimitsPatch): Limits {
  const { perMonth, ...rest } = current;
  const base = patch.perMonth === null || perMonth === undefined ? rest : current;
  return effectiveLimits(base, patched({}, patch));
}

interface PlanRow extends LimitColumns, ShadowColumn {
  name: string;
}

function planOf(row: PlanRow): Plan {
  return { name: row.name, ...limitsOf(row), isShadow: row.is_shadow === true };
}
