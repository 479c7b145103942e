import { openDatabase, type Sql } from '@tollgate/postgres/database';

const CONNECT_TIMEOUT_MS = 10_000;
/** Long enough to wait for another test process that makes the template. */
const STATEMENT_TIMEOUT_MS = 60_000;

/** Runs `work` in one session of a server's superuser: what it locks stays locked until it returns. */
export async function administer<T>(serverUrl: string, work: (session: Sql) => Promise<T>): Promise<T> {
  const database = openDatabase({
    url: serverUrl,
    maxConnections: 1,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    applicationName: 'tollgate-tests',
    onError: () => {},
  });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** The URL of another database of the same server. */
export function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}
