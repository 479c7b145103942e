import { type AppliedLimit, appliedLimits } from '@tollgate/limit-store/applied-limits';
import type { Counters } from '@tollgate/limit-store/counters';
import type { Sql } from '@tollgate/postgres/database';
import { NotFound } from '@tollgate/postgres/errors';
import { findOrganizationLimits } from '@tollgate/postgres/limits';
import { COUNTERS_VIEW, counterRows } from './counters-view.js';
import type { Output } from './output.js';
import type { Row } from './view.js';

/** The limits that a request must pass, by the limiter's own rules: one of this key, or of any key without limits of its own. */
export async function limitsToPass(db: Sql, organizationId: string, keyId: string | undefined): Promise<readonly AppliedLimit[]> {
  const found = await findOrganizationLimits(db, organizationId);
  if (found === undefined) throw new NotFound('there is no such organization');
  return appliedLimits(found, keyId ?? '', undefined).shown;
}

/** How each of them stands. */
export async function readCounters(
  db: Sql,
  counters: Counters,
  organizationId: string,
  keyId: string | undefined,
): Promise<Row[]> {
  const shown = await limitsToPass(db, organizationId, keyId);
  return counterRows(shown, await counters.look({ organizationId, cost: 0, limits: shown.map(({ store }) => store) }));
}

/** JSON is one object, as it names the organization; elsewhere each limit is a line. */
export function tellCounters(output: Output, limits: readonly Row[], organizationId: string, keyId: string | undefined): void {
  const key = keyId === undefined ? {} : { key_id: keyId };
  if (output.format === 'json') output.one({ organization_id: organizationId, ...key, limits }, COUNTERS_VIEW);
  else output.list(limits, COUNTERS_VIEW);
}
