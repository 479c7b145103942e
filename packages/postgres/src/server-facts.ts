import type { Sql } from './database.js';

export const OLDEST_MAJOR_VERSION = 16;

export interface ServerFacts {
  /** As the server words it: `16.4`. */
  version: string;
  /** 16. */
  majorVersion: number;
  nowMs: number;
}

export async function readServerFacts(db: Pick<Sql, 'query'>): Promise<ServerFacts> {
  const [row] = await db.query<{ version: string; number: string; now: Date }>(
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number, clock_timestamp() AS now`,
  );
  if (row === undefined) throw new Error('the database answered nothing');
  return { version: row.version, majorVersion: Math.floor(Number(row.number) / 10_000), nowMs: row.now.getTime() };
}

/** The triggers that tell caches what has changed, as far as they are missing or switched off. */
export async function missingChangeTriggers(db: Sql): Promise<string[]> {
  const rows = await db.query<{ name: string }>(
    `SELECT wanted.tab || '_' || event AS name
     FROM unnest(ARRAY['organizations', 'plans', 'api_keys', 'rate_limit_configs']) AS wanted (tab),
       unnest(ARRAY['inserted', 'updated', 'deleted', 'truncated']) AS event
     WHERE NOT EXISTS (
       SELECT FROM pg_trigger AS t WHERE t.tgrelid = to_regclass(wanted.tab) AND t.tgname = wanted.tab || '_' || event
         AND t.tgenabled IN ('O', 'A'))
     ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}
