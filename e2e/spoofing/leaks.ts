import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { openDatabase } from '@tollgate/postgres/database';
import { until } from '@tollgate/testing/until';
import { keyParts } from './key-parts.js';
import type { World } from './world.js';

/** Where a part of a key is to be found besides the request; looked through, so that an empty place is no proof. */
export interface Search {
  leaks: string[];
  /** Bytes that were looked through in each place. */
  places: Record<string, number>;
}

const ADMIN_PAGES = [
  '/stats',
  '/stats?format=prometheus',
  '/stats?format=json',
  '/clusters',
  '/clusters?format=json',
  '/listeners',
];
const DATABASE = {
  maxConnections: 1,
  connectTimeoutMs: 5_000,
  statementTimeoutMs: 10_000,
  applicationName: 'spoofing',
  onError: () => {},
};
/** The database's own files are asked by SQL; demo.json holds the demo's key, which is none of these keys. */
const NOT_READ = /^postgres\//;

export async function findLeaks(world: World): Promise<Search> {
  const parts = keyParts(world);
  const search: Search = { leaks: [], places: {} };
  const look = (place: string, text: string): void => {
    search.places[place] = text.length;
    const found = parts.find(({ part }) => text.includes(part));
    if (found !== undefined) search.leaks.push(`${place} holds ${found.part} of the key ${found.name}`);
  };
  look('output', world.output());
  for (const path of await filesIn(world.folder)) {
    const name = relative(world.folder, path);
    if (!NOT_READ.test(name)) look(name, await readFile(path, 'latin1').catch(() => ''));
  }
  for (const [i, service] of world.services.entries()) look(`metrics ${i}`, await pageOf(`${service}/metrics`));
  for (const page of ADMIN_PAGES) look(`Envoy ${page}`, await pageOf(`${world.adminUrl}${page}`));
  for (const [table, rows] of await tablesOf(world.databaseUrl)) look(`table ${table}`, rows);
  return search;
}

/** Waits until every request that reached the upstream with an identity is stored. */
export async function everythingIsStored({ databaseUrl, upstream }: World): Promise<void> {
  const expected = upstream.arrived.filter(({ headers }) =>
    headers.some(([name]) => name.toLowerCase() === 'x-api-key-id'),
  ).length;
  const db = openDatabase({ ...DATABASE, url: databaseUrl });
  try {
    await until(
      async () => Number((await db.query<{ n: string }>('SELECT count(*) AS n FROM usage_events'))[0]?.n) >= expected,
      20_000,
      `${expected} stored events`,
    );
  } finally {
    await db.close();
  }
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function pageOf(url: string): Promise<string> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return response.text();
}

/** Every row of every table, as text. */
async function tablesOf(databaseUrl: string): Promise<[string, string][]> {
  const db = openDatabase({ ...DATABASE, url: databaseUrl });
  try {
    const tables = await db.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
    );
    const found: [string, string][] = [];
    for (const { name } of tables) {
      const rows = await db.query<{ row: string }>(`SELECT to_jsonb(t)::text AS row FROM "${name}" t`);
      found.push([name, rows.map(({ row }) => row).join('\n')]);
    }
    return found;
  } finally {
    await db.close();
  }
}
