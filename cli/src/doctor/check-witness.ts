import type { Sql } from '@tollgate/postgres/database';
import { witnessAges } from '@tollgate/postgres/usage-witness';
import { type Finding, ok, warn } from './finding.js';

/** A minute is checked some seconds after its end, once a minute. */
const WARN_AGE_MS = 10 * 60_000;
const MINUTE_MS = 60_000;

/** How far each gateway's reconciler has come; none where none ever ran. */
export async function checkWitnesses(db: Sql): Promise<Finding[]> {
  return (await witnessAges(db)).map(({ nodeId, checkedUntil, ageMs }) => {
    const detail = `all usage is checked until ${checkedUntil.toISOString()}, ${Math.round(ageMs / MINUTE_MS)} min ago`;
    if (ageMs <= WARN_AGE_MS) return ok(`reconciler ${nodeId}`, detail);
    const nextStep = 'Look whether its reconciler runs, and at its log; a gateway that is gone for good needs none.';
    return warn(`reconciler ${nodeId}`, detail, nextStep);
  });
}
