import type { Context } from './command.js';

/** A database that has our schema, and what follows the names of its migrations: nothing, where it is the main one. */
export interface MigratedDatabase {
  url: string;
  of: string;
}

/** The main database, and that of usage where it is another. */
export async function databasesOf({ config, databaseUrl }: Pick<Context, 'config' | 'databaseUrl'>): Promise<MigratedDatabase[]> {
  const [main, { usageDatabaseUrl: usage }] = [await databaseUrl(), await config()];
  const databases = [{ url: main, of: '' }];
  if (usage !== undefined && usage !== main) databases.push({ url: usage, of: ' (usage database)' });
  return databases;
}
