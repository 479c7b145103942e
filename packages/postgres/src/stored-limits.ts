import { effectiveLimits, type Limits, type LimitsOverride, limitProblems } from '@tollgate/domain/limits';
import type { Sql } from './database.js';
import { Conflict } from './errors.js';
import { type LimitColumns, limitsOf, overrideOf } from './limit-columns.js';

/**
 * Checks every stored override that stands on this plan, or that belongs to this organization, with the plans as the
 * transaction sees them. Throws {@link Conflict} for the first whose limits in force no longer fit together.
 */
export async function checkStoredLimits(tx: Sql, scope: { plan: string } | { organizationId: string }): Promise<void> {
  const rows = await tx.query<StoredRow>(
    `SELECT c.organization_id, c.key_id, c.per_minute, c.burst, c.per_day, c.per_month, o.name,
       p.per_minute AS plan_per_minute, p.burst AS plan_burst, p.per_day AS plan_per_day, p.per_month AS plan_per_month
     FROM rate_limit_configs AS c JOIN organizations AS o ON o.id = c.organization_id JOIN plans AS p ON p.name = o.plan
     WHERE ${'plan' in scope ? 'o.plan = $1' : 'o.id = $1'} ORDER BY c.organization_id, c.key_id NULLS FIRST`,
    ['plan' in scope ? scope.plan : scope.organizationId],
  );
  const ofOrganization = new Map<string, LimitsOverride>();
  for (const row of rows) {
    const override = overrideOf(row);
    const plan = planLimits(row);
    if (row.key_id === null) ofOrganization.set(row.organization_id, override);
    const organization = effectiveLimits(plan, ofOrganization.get(row.organization_id));
    const problems = limitProblems(row.key_id === null ? organization : effectiveLimits(organization, override));
    if (problems.length > 0) throw new Conflict(`${whose(row)} would not fit: ${problems.join('; ')}`);
  }
}

function whose(row: StoredRow): string {
  return row.key_id === null ? `the limits of the organization ${row.name}` : `the limits of the key ${row.key_id}`;
}

interface StoredRow extends LimitColumns {
  organization_id: string;
  key_id: string | null;
  name: string;
  plan_per_minute: string;
  plan_burst: string;
  plan_per_day: string;
  plan_per_month: string | null;
}

function planLimits(row: StoredRow): Limits {
  return limitsOf({
    per_minute: row.plan_per_minute,
    burst: row.plan_burst,
    per_day: row.plan_per_day,
    per_month: row.plan_per_month,
  });
}
