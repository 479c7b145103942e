import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { type RunningPostgres, startPostgres } from '@tollgate/embedded/embedded-postgres';
import { administer, databaseUrl } from './administer.js';
import { migratedTemplate } from './migrated-template.js';
import { needRunVariable, newRunFolder } from './run-environment.js';

export type FreshDatabase = { url: string; close(): Promise<void> };

export type DatabaseServer = {
  /** Of the database "postgres", as superuser. The same after every start. */
  url: string;
  /** True while the server process runs. */
  isRunning(): boolean;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
  close(): Promise<void>;
};

/**
 * A database of its own in the server of this run, with the newest schema unless `isMigrated` is false.
 * `serverUrl` puts it into another server, such as one from `startDatabaseServer()`.
 */
export async function freshDatabase(options: { isMigrated?: boolean; serverUrl?: string } = {}): Promise<FreshDatabase> {
  const serverUrl = options.serverUrl ?? needRunVariable('TEST_DATABASE_URL');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const template = options.isMigrated === false ? 'template0' : await migratedTemplate(serverUrl);
  await administer(serverUrl, (session) => session.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  return {
    url: databaseUrl(serverUrl, name),
    close: async () => {
      await administer(serverUrl, (session) => session.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

/** A PostgreSQL for one test, to be stopped and killed at will. */
export async function startDatabaseServer(): Promise<DatabaseServer> {
  const { folder, runFolder } = await newRunFolder('postgres');
  const start = (port: number) => startPostgres({ folder, port, isThrowaway: true, recordIn: runFolder });
  let server: RunningPostgres = await start(0);
  return {
    url: server.url,
    isRunning: () => server.isRunning(),
    start: async () => {
      server = await start(server.port);
    },
    stop: () => server.close(),
    kill: async () => {
      server.signal('SIGKILL');
      await server.exited;
    },
    close: async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
