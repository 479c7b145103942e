import { freshDatabase } from '@tollgate/testing/database';
import { openUrl } from '../open-fresh.js';
import type { LedgerSubject } from './ledger-subject.js';

/** On a real PostgreSQL without TimescaleDB, where nothing has to be refreshed and nothing is compressed. */
export async function plainLedger(): Promise<LedgerSubject> {
  const fresh = await freshDatabase();
  const db = openUrl(fresh.url);
  return {
    db,
    refresh: async () => {},
    compress: async () => {},
    close: async () => {
      await db.close();
      await fresh.close();
    },
  };
}
