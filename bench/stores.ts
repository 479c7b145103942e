/** PostgreSQL and Redis of a bench's own, each in a process of its own. */
import { join } from 'node:path';
import { startPostgres } from '@tollgate/embedded/embedded-postgres';
import { freePort } from '@tollgate/embedded/free-port';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { migrateUp } from '@tollgate/postgres/migrate';
import { findRedisServer } from '@tollgate/testing/redis-server';
import { cacheFolder } from '@tollgate/testing/run-environment';
import type { Closers } from './run-folder.js';
import { startProgram } from './start-program.js';

export interface BenchPostgres {
  url: string;
  pid: number;
  version: string;
  /** One connection. */
  db: Database;
}

export interface BenchRedis {
  url: string;
  port: number;
  pid: number;
  version: string;
  /** Once more, on the same port, where it was killed. */
  again(): Promise<{ pid: number }>;
}

/** With our tables, and nothing in them. */
export async function startBenchPostgres(folder: string, root: string, closers: Closers): Promise<BenchPostgres> {
  const postgres = await startPostgres({ folder: join(folder, 'postgres'), recordIn: folder });
  closers.push(() => postgres.close());
  await migrateUp({ url: postgres.url, folder: join(root, 'migrations') });
  const db = openBenchDatabase(postgres.url);
  closers.push(() => db.close());
  return { url: postgres.url, pid: postgres.pid, version: postgres.version, db };
}

/** One connection, for whoever closes it. */
export function openBenchDatabase(url: string): Database {
  return openDatabase({
    url,
    maxConnections: 1,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 60_000,
    applicationName: 'tollgate bench',
    onError: (error) => console.error(error),
  });
}

/** Keeps nothing on disk. */
export async function startBenchRedis(folder: string, closers: Closers): Promise<BenchRedis> {
  const { path, version } = await findRedisServer({ cacheFolder: cacheFolder(), log: (line) => console.info(line) });
  const port = await freePort();
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', '', '--appendonly', 'no'];
  const start = (name: string) => startProgram(folder, closers, name, path, args, {}, /Ready to accept connections/);
  const { pid } = await start('redis');
  return { url: `redis://127.0.0.1:${port}`, port, pid, version, again: () => start('redis-again') };
}
