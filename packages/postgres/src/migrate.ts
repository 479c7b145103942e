import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { connectionOptions } from './connection-options.js';
import { classified, errorCode, SQLSTATE } from './errors.js';
import { type MigrationFile, readMigrationFiles } from './migration-files.js';
import { OLDEST_MAJOR_VERSION, readServerFacts } from './server-facts.js';

export interface MigrateOptions {
  url: string;
  /** Where the `.up.sql` and `.down.sql` files lie. */
  folder: string;
}

export interface MigrationStatus {
  applied: { name: string; appliedAt: Date }[];
  pending: string[];
}

/** The database was migrated by a newer Tollgate, or by another one, than this. */
export class SchemaMismatch extends Error {
  override readonly name = 'SchemaMismatch';
}

/** It lacks functions that are used, not all of them in the migrations. */
export class ServerTooOld extends Error {
  override readonly name = 'ServerTooOld';
}

/** Any number will do, as long as every version of Tollgate takes the same. */
const MIGRATION_LOCK = 6_865_455_021;
const CONNECT_TIMEOUT_MS = 10_000;
/** How long we wait for another run that migrates this database now. */
const OTHER_RUN_TIMEOUT = '120s';
/** A statement that waits for a lock makes everyone queue behind it, so it gives up quickly and tries again. */
const LOCK_TIMEOUT = '2s';
/** A migration that was the victim of a deadlock is as good as one that did not get its lock. */
const LOCK_TROUBLE: readonly (string | undefined)[] = [SQLSTATE.lockNotAvailable, SQLSTATE.deadlockDetected];
const LOCK_ATTEMPTS = 10;
const LOCK_PAUSE_MS = 500;

/**
 * Applies what is pending, each migration in a transaction of its own. Returns the names of those that it applied. Rejects with
 * a {@link ServerTooOld} before the first where the server is older than Tollgate can use.
 */
export function migrateUp({ url, folder }: MigrateOptions): Promise<string[]> {
  return withLockedDatabase(url, folder, async (client, { pending }) => {
    if (pending.length > 0) await refuseOldServer(client);
    for (const migration of pending) {
      await applyInTransaction(client, migration.name, migration.up, async () => {
        await client.query('INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)', [
          migration.name,
          migration.checksum,
        ]);
      });
    }
    return pending.map(({ name }) => name);
  });
}

/** Takes back the last `count` migrations, newest first, with what their tables held. Returns their names. */
export function migrateDown({ url, folder, count = 1 }: MigrateOptions & { count?: number }): Promise<string[]> {
  return withLockedDatabase(url, folder, async (client, { applied }) => {
    const undone = applied.slice(Math.max(0, applied.length - count)).reverse();
    for (const { file } of undone) {
      await applyInTransaction(client, file.name, file.down, async () => {
        await client.query('DELETE FROM schema_migrations WHERE name = $1', [file.name]);
      });
    }
    return undone.map(({ file }) => file.name);
  });
}

/** Reads only; a database that was never migrated has everything pending. */
export async function migrationStatus({ url, folder }: MigrateOptions): Promise<MigrationStatus> {
  const files = await readMigrationFiles(folder);
  return withClient(url, async (client) => {
    const { applied, pending } = compare(files, await readApplied(client));
    return {
      applied: applied.map(({ file, appliedAt }) => ({ name: file.name, appliedAt })),
      pending: pending.map(({ name }) => name),
    };
  });
}

interface AppliedRow {
  name: string;
  checksum: string;
  applied_at: Date;
}

interface Comparison {
  applied: { file: MigrationFile; appliedAt: Date }[];
  pending: MigrationFile[];
}

async function withLockedDatabase<T>(
  url: string,
  folder: string,
  run: (client: pg.Client, found: Comparison) => Promise<T>,
): Promise<T> {
  const files = await readMigrationFiles(folder);
  return withClient(url, async (client) => {
    await client.query(`SET lock_timeout = '${OTHER_RUN_TIMEOUT}'`);
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await client.query(`SET lock_timeout = '${LOCK_TIMEOUT}'`);
    await client.query("SET client_min_messages = 'warning'");
    await client.query(`CREATE TABLE IF NOT EXISTS schema_migrations (
      name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())`);
    return run(client, compare(files, await readApplied(client)));
  });
}

async function refuseOldServer(client: pg.Client): Promise<void> {
  const query = async <Row extends object>(text: string) => (await client.query<Row>(text)).rows;
  const { version, majorVersion } = await readServerFacts({ query });
  if (majorVersion >= OLDEST_MAJOR_VERSION) return;
  throw new ServerTooOld(
    `PostgreSQL ${version} is too old: Tollgate needs ${OLDEST_MAJOR_VERSION} or later; nothing was migrated`,
  );
}

/** The end of the connection also lets go of the lock. */
async function withClient<T>(url: string, run: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(
    connectionOptions({ url, connectTimeoutMs: CONNECT_TIMEOUT_MS, statementTimeoutMs: 0, applicationName: 'tollgate-migrate' }),
  );
  // A lost connection rejects the query under way; without a listener the event would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    return await run(client);
  } catch (error) {
    throw classified(error);
  } finally {
    await client.end().catch(() => {});
  }
}

async function readApplied(client: pg.Client): Promise<AppliedRow[]> {
  const { rows } = await client.query<{ found: string | null }>("SELECT to_regclass('schema_migrations') AS found");
  if (rows[0]?.found === null) return [];
  const applied = await client.query<AppliedRow>(
    'SELECT name, checksum, applied_at FROM schema_migrations ORDER BY name COLLATE "C"',
  );
  return applied.rows;
}

/** What was applied must be the beginning of what we have, unchanged; anything else is no state that we know. */
function compare(files: readonly MigrationFile[], rows: readonly AppliedRow[]): Comparison {
  const names = new Set(files.map(({ name }) => name));
  const unknown = rows.filter(({ name }) => !names.has(name)).map(({ name }) => name);
  if (unknown.length > 0)
    throw new SchemaMismatch(
      `the database is newer than this version of Tollgate: it has ${unknown.join(', ')}, which is not known here`,
    );
  const applied = rows.map((row, i) => {
    const file = files[i];
    if (file?.name !== row.name)
      throw new SchemaMismatch(`${file?.name} comes before ${row.name}, but only the latter was applied`);
    if (file.checksum !== row.checksum) throw new SchemaMismatch(`${file.name} was changed after it was applied`);
    return { file, appliedAt: row.applied_at };
  });
  return { applied, pending: files.slice(rows.length) };
}

async function applyInTransaction(client: pg.Client, name: string, sql: string, note: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.query('BEGIN');
      await client.query(sql);
      await note();
      await client.query('COMMIT');
      return;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {});
      if (!LOCK_TROUBLE.includes(errorCode(error)) || attempt === LOCK_ATTEMPTS) throw inMigration(name, error);
      await delay(LOCK_PAUSE_MS);
    }
  }
}

function inMigration(name: string, error: unknown): unknown {
  if (error instanceof Error) error.message = `migration ${name}: ${error.message}`;
  return error;
}
