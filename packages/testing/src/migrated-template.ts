import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sql } from '@tollgate/postgres/database';
import { migrateUp } from '@tollgate/postgres/migrate';
import { administer, databaseUrl } from './administer.js';
import { MIGRATIONS_FOLDER } from './migrations-folder.js';

/** Any number will do, as long as every test process takes the same. */
const TEMPLATE_LOCK = 7_145_001;

/**
 * The name of a database in which every migration was applied; copying it is many times quicker than migrating again.
 * The first test process that needs it makes it, the others wait; other migrations make another template.
 */
export async function migratedTemplate(serverUrl: string): Promise<string> {
  const name = `template_${await migrationsHash()}`;
  await administer(serverUrl, async (session) => {
    await session.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK]);
    // The mark is set last: a template without it was left half done, and is made again.
    const ready = await session.query('SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate', [name]);
    if (ready.length === 0) await makeTemplate(session, serverUrl, name);
  });
  return name;
}

async function makeTemplate(session: Sql, serverUrl: string, name: string): Promise<void> {
  await session.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await session.query(`CREATE DATABASE ${name} TEMPLATE template0`);
  await migrateUp({ url: databaseUrl(serverUrl, name), folder: MIGRATIONS_FOLDER });
  await session.query(`ALTER DATABASE ${name} IS_TEMPLATE true`);
}

async function migrationsHash(): Promise<string> {
  const hash = createHash('sha256');
  for (const file of (await readdir(MIGRATIONS_FOLDER)).filter((entry) => entry.endsWith('.sql')).sort()) {
    hash.update(`${file}\0`).update(await readFile(join(MIGRATIONS_FOLDER, file)));
  }
  return hash.digest('hex').slice(0, 16);
}
