import pg from 'pg';
import { type ConnectionOptions, connectionOptions } from './connection-options.js';
import { classified, DatabaseUnavailable } from './errors.js';

export interface DatabaseOptions extends ConnectionOptions {
  maxConnections: number;
  /** Connections that are kept when nobody needs them; see {@link openConnections}. Without it, one. */
  keptConnections?: number;
  /** Faults of idle connections, which no call could report. The pool goes on and connects anew. */
  onError(error: unknown): void;
}

/** What every function of this package takes first: the pool, or a transaction to take part in. */
export interface Sql {
  /** Rows as the driver reads them: bigint and numeric arrive as text. A name makes it a prepared statement. */
  query<Row extends object>(text: string, values?: readonly unknown[], name?: string): Promise<Row[]>;
  /**
   * Runs `work` in one transaction: committed when it resolves, rolled back when it rejects. Inside a transaction it
   * takes part in that one.
   */
  transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T>;
}

export interface Database extends Sql {
  close(): Promise<void>;
}

/** Waiting calls are bounded, so that a slow database is an error soon and not a growing queue. */
const MAX_WAITING_PER_CONNECTION = 100;
const IDLE_TIMEOUT_MS = 30_000;

/**
 * Opens a pool; nothing is connected yet. Every call has a deadline: `connectTimeoutMs` for a connection (a free one or a
 * new one), then `statementTimeoutMs` for each statement. What cannot be asked rejects with {@link DatabaseUnavailable}.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    ...connectionOptions(options),
    max: options.maxConnections,
    // One stays open at least, so that the first look-up after a quiet while does not wait for a connection.
    min: options.keptConnections ?? 1,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    idle_in_transaction_session_timeout: options.statementTimeoutMs * 2,
  });
  // A connection that is lost while it is lent out says so here as well as in its query; unheard, it would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  pool.on('error', (error) => options.onError(classified(withoutClient(error))));

  const withClient = async <T>(run: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
    if (pool.waitingCount >= options.maxConnections * MAX_WAITING_PER_CONNECTION)
      throw new DatabaseUnavailable('database unavailable: too many calls wait for a connection', undefined);
    const client = await pool.connect().catch(rethrow);
    let isBroken = false;
    try {
      return await run(client).catch(rethrow);
    } catch (error) {
      isBroken = error instanceof DatabaseUnavailable || error instanceof BrokenTransaction;
      throw error instanceof BrokenTransaction ? error.reason : error;
    } finally {
      client.release(isBroken);
    }
  };

  return {
    query: (text, values, name) => withClient((client) => sqlOf(client).query(text, values, name)),
    transaction: (work) => withClient((client) => inTransaction(client, work)),
    close: () => pool.end(),
  };
}

/**
 * Opens so many connections of a pool that nobody uses yet, so that none has to be opened in a rush: that takes several round
 * trips, and in a busy process more than the deadline. At most as many as the pool may have.
 */
export async function openConnections(db: Database, count: number): Promise<void> {
  // Asked for all at once, so that none is given back before the last is asked for.
  await Promise.all(Array.from({ length: count }, () => db.query('SELECT 1')));
}

async function inTransaction<T>(client: pg.PoolClient, work: (tx: Sql) => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work(sqlOf(client));
    const { command } = await client.query('COMMIT');
    // After a failed statement whose error was swallowed, PostgreSQL answers COMMIT with ROLLBACK.
    if (command !== 'COMMIT') throw new Error('the transaction had failed and was rolled back');
    return result;
  } catch (reason) {
    await client.query('ROLLBACK').catch(() => {
      throw new BrokenTransaction(classified(reason));
    });
    throw reason;
  }
}

function sqlOf(client: pg.PoolClient): Sql {
  const sql: Sql = {
    query: async <Row extends object>(text: string, values: readonly unknown[] = [], name?: string) => {
      const config = { text, values: [...values], ...(name === undefined ? {} : { name }) };
      return (await client.query<Row & pg.QueryResultRow>(config)).rows as Row[];
    },
    transaction: (work) => work(sql),
  };
  return sql;
}

/** A transaction that could not even be rolled back: its connection must not go back to the pool. */
class BrokenTransaction extends Error {
  constructor(readonly reason: unknown) {
    super('the transaction could not be rolled back');
  }
}

function rethrow(error: unknown): never {
  throw classified(error);
}

/** The pool hangs the connection onto its errors, and the connection knows the password. */
function withoutClient(error: Error): Error {
  delete (error as { client?: unknown }).client;
  return error;
}
