import { join } from 'node:path';
import { startPostgres } from '@tollgate/embedded/embedded-postgres';
import { DatabaseUnavailable } from '@tollgate/postgres/errors';
import { migrateUp } from '@tollgate/postgres/migrate';
import type { Closers } from './closers.js';
import type { StandaloneConfig } from './config.js';
import { Unavailable } from './unavailable.js';

/** The URL of a database with the newest schema: the user's own, or PostgreSQL as a child of this process. */
export async function startDatabase(
  { databaseUrl, usageDatabaseUrl, dataFolder }: StandaloneConfig,
  { migrationsFolder, progress }: { migrationsFolder: string; progress: (line: string) => void },
  closers: Closers,
): Promise<string> {
  const url = databaseUrl ?? (await startEmbedded());
  await migrate(databaseUrl === undefined ? 'the embedded database' : 'DATABASE_URL', url);
  if (usageDatabaseUrl !== undefined) await migrate('USAGE_DATABASE_URL', usageDatabaseUrl);
  return url;

  async function migrate(name: string, target: string): Promise<void> {
    try {
      await migrateUp({ url: target, folder: migrationsFolder });
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable)) throw error;
      throw new Unavailable(`${name}: ${error.message}. Check that the server runs and that the setting names it.`);
    }
  }

  async function startEmbedded(): Promise<string> {
    const postgres = await startPostgres({
      folder: join(dataFolder, 'postgres'),
      recordIn: dataFolder,
      log: (line) => progress(`PostgreSQL: ${line}`),
    });
    closers.add('postgres', () => postgres.close());
    return postgres.url;
  }
}
