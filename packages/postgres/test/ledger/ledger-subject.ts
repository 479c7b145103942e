import type { Database } from '@tollgate/postgres/database';

/** A migrated ledger without rows, on one kind of database. */
export interface LedgerSubject {
  db: Database;
  /** Runs the jobs that keep days and months up to date, over all of time. */
  refresh(): Promise<void>;
  /** Compresses what raw events there are, where the database can. */
  compress(): Promise<void>;
  close(): Promise<void>;
}
