import type { Sql } from '@tollgate/postgres/database';
import type { MigrationStatus } from '@tollgate/postgres/migrate';
import { missingChangeTriggers, OLDEST_MAJOR_VERSION, readServerFacts } from '@tollgate/postgres/server-facts';
import { type Finding, fail, ok, warn } from './finding.js';

const NEWEST_MAJOR_VERSION = 18;
/** Keys expire by the gateways' clocks and are revoked by the database's. */
const WARN_SKEW_MS = 1_000;
/** Usage events that are minutes ahead are refused. */
const FAIL_SKEW_MS = 60_000;

/** `nowMs` is our clock, asked before and after the database's. */
export async function checkServer(db: Sql, nowMs: () => number): Promise<{ server: Finding; clock: Finding }> {
  const beforeMs = nowMs();
  const facts = await readServerFacts(db);
  const skewMs = Math.round(facts.nowMs - (beforeMs + nowMs()) / 2);
  return { server: versionFinding(facts.version, facts.majorVersion), clock: clockFinding(skewMs) };
}

function versionFinding(version: string, major: number): Finding {
  const detail = `PostgreSQL ${version} answers`;
  if (major < OLDEST_MAJOR_VERSION) return fail('database', detail, `Use PostgreSQL ${OLDEST_MAJOR_VERSION} or later.`);
  if (major > NEWEST_MAJOR_VERSION)
    return warn('database', detail, 'This version is newer than those that Tollgate is tested with.');
  return ok('database', detail);
}

function clockFinding(skewMs: number): Finding {
  const distance = Math.abs(skewMs);
  const direction = skewMs > 0 ? 'behind' : 'ahead of';
  const nextStep = 'Let both machines keep time by NTP: keys expire by one clock and are revoked by the other.';
  if (distance <= WARN_SKEW_MS) return ok('clock', `within ${WARN_SKEW_MS / 1_000} s of the database's`);
  const detail = `${(distance / 1_000).toFixed(1)} s ${direction} the database's`;
  return distance > FAIL_SKEW_MS ? fail('clock', detail, nextStep) : warn('clock', detail, nextStep);
}

/** `of` parts the database of usage from the main one. */
export function checkMigrations({ applied, pending }: MigrationStatus, of: string): Finding {
  if (pending.length === 0) return ok(`migrations${of}`, `all ${applied.length} applied`);
  return fail(`migrations${of}`, `not applied: ${pending.join(', ')}`, 'Run tollgate migrate up.');
}

export async function checkChangeFeed(db: Sql): Promise<Finding> {
  const missing = await missingChangeTriggers(db);
  if (missing.length === 0) return ok('change feed', 'all triggers are there');
  return fail(
    'change feed',
    `triggers are missing or switched off: ${missing.join(', ')}`,
    'Run tollgate migrate up, and enable triggers that someone switched off: without them a revoked key lives on in caches.',
  );
}
