import type { Sql } from './database.js';

/** The ids of keys whose secrets begin so, oldest first, at most `limit`. The whole prefix as it is stored, not a part of it. */
export async function findKeyIdsByPrefix(db: Sql, prefix: string, limit: number): Promise<string[]> {
  if (prefix.includes('\0')) return [];
  const rows = await db.query<{ id: string }>('SELECT id FROM api_keys WHERE prefix = $1 ORDER BY created_at, id LIMIT $2', [
    prefix,
    limit,
  ]);
  return rows.map(({ id }) => id);
}
