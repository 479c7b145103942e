import { join } from 'node:path';
import { startPostgres } from '@tollgate/embedded/embedded-postgres';
import { migrateUp } from '@tollgate/postgres/migrate';
import type { Closers } from './closers.js';
import type { StandaloneConfig } from './config.js';

/** The URL of a database with the newest schema: the user's own, or PostgreSQL as a child of this process. */
export async function startDatabase(
  { databaseUrl, dataFolder }: StandaloneConfig,
  { migrationsFolder, progress }: { migrationsFolder: string; progress: (line: string) => void },
  closers: Closers,
): Promise<string> {
  const url = databaseUrl ?? (await startEmbedded());
  await migrateUp({ url, folder: migrationsFolder });
  return url;

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
