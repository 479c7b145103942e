/** Where a ledger is measured: a PostgreSQL of the bench's own, or a database of its own in a server that runs on this machine. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startPostgres } from '@tollgate/embedded/embedded-postgres';
import { migrateUp } from '@tollgate/postgres/migrate';
import { administer } from '@tollgate/testing/administer';
import { freshDatabase } from '@tollgate/testing/database';

export interface LedgerDatabase {
  url: string;
  /** Of the server, whose children do its work. */
  pid: number;
  version: string;
  hasTimescale: boolean;
  close(): Promise<void>;
}

interface Where {
  folder: string;
  migrations: string;
  serverUrl: string | undefined;
}

export async function openLedgerDatabase({ folder, migrations, serverUrl }: Where): Promise<LedgerDatabase> {
  const { url, close } =
    serverUrl === undefined ? await ownServer(folder) : await freshDatabase({ serverUrl, isMigrated: false });
  await migrateUp({ url, folder: migrations });
  return { url, close, ...(await factsOf(url)) };
}

async function ownServer(folder: string): Promise<{ url: string; close(): Promise<void> }> {
  return startPostgres({ folder: join(folder, 'postgres'), recordIn: folder });
}

async function factsOf(url: string): Promise<Pick<LedgerDatabase, 'pid' | 'version' | 'hasTimescale'>> {
  return administer(url, async (session) => {
    const [row] = await session.query<{ backend: number; version: string; timescale: string | null; used: boolean }>(
      `SELECT pg_backend_pid() AS backend, current_setting('server_version') AS version, is_usage_in_hypertable() AS used,
         (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescale`,
    );
    if (row === undefined) throw new Error('the server says nothing of itself');
    const hasTimescale = row.used;
    return {
      pid: await parentOf(row.backend),
      version: `PostgreSQL ${row.version}${hasTimescale ? `, TimescaleDB ${row.timescale}` : ''}`,
      hasTimescale,
    };
  });
}

async function parentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
  if (!(parent > 0)) throw new Error('the database must be on this machine, so that its CPU time can be read');
  return parent;
}
