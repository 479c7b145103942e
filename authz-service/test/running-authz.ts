import { type Database, openDatabase } from '@tollgate/postgres/database';
import { createOrganization, type Organization } from '@tollgate/postgres/organizations';
import { createLogger } from '@tollgate/service-kit/log';
import { freshDatabase } from '@tollgate/testing/database';
import { onTestFinished } from 'vitest';
import { readConfig } from '../src/config.js';
import { startAuthzService } from '../src/service.js';
import { type CheckAnswer, envoyClient } from './envoy-client.js';

export interface RunningAuthz {
  db: Database;
  databaseUrl: string;
  organization: Organization;
  /** `scope` is what the route says in its context extensions. */
  check(
    headers: Record<string, string>,
    requestId?: string,
    scope?: string,
    metadata?: Record<string, string>,
  ): Promise<CheckAnswer>;
  /** The answer to this key, in X-API-Key. */
  ask(secret: string): Promise<CheckAnswer>;
  raw(path: string, bytes: Buffer): Promise<Buffer>;
  /** Of the admin port. */
  page(path: string): Promise<{ status: number; text: string }>;
  /** All that was logged. */
  logged(): string;
}

/** authz on a database of its own, in the server at `serverUrl` if given, with one organization in it. Ready. */
export async function runningAuthz(settings: { serverUrl?: string; env?: Record<string, string> } = {}): Promise<RunningAuthz> {
  const fresh = await freshDatabase(settings.serverUrl === undefined ? {} : { serverUrl: settings.serverUrl });
  const db = openDatabase({
    url: fresh.url,
    maxConnections: 2,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 20_000,
    applicationName: 'test',
    onError: () => {},
  });
  onTestFinished(async () => {
    await db.close();
    if (settings.serverUrl === undefined) await fresh.close();
  });
  const running = await startOn({ db, databaseUrl: fresh.url }, settings.env);
  // Authz is there already, so that it hears of this as of any change.
  const organization = await createOrganization(db, { name: 'Acme', plan: 'premium', billingAnchorDay: 1 }, 'tester');
  return { ...running, organization };
}

/** Another instance beside the one, on the same database. */
export async function secondAuthz(one: RunningAuthz, env?: Record<string, string>): Promise<RunningAuthz> {
  return { ...(await startOn(one, env)), organization: one.organization };
}

async function startOn(
  { db, databaseUrl }: Pick<RunningAuthz, 'db' | 'databaseUrl'>,
  settings: Record<string, string> = {},
): Promise<Omit<RunningAuthz, 'organization'>> {
  let log = '';
  const write = (line: string): void => {
    log += line;
  };
  const env = {
    AUTHZ_LISTEN: '127.0.0.1:0',
    ADMIN_LISTEN: '127.0.0.1:0',
    DATABASE_URL: databaseUrl,
    KEY_LOOKUP_TIMEOUT: '5s', // a busy test machine is no slow database
    MAX_LOOP_DELAY: '1h', // and no overload: here the callers share the event loop with the service
    ...settings,
  };
  const service = await startAuthzService(readConfig(env), { log: createLogger({ service: 'authz', level: 'info' }, { write }) });
  onTestFinished(() => service.close());
  await service.ready;
  const { check, raw } = await envoyClient(service.address);
  return {
    db,
    databaseUrl,
    check,
    ask: (secret) => check({ 'x-api-key': secret }),
    raw,
    async page(path) {
      const response = await fetch(`http://${service.adminAddress}${path}`);
      return { status: response.status, text: await response.text() };
    },
    logged: () => log,
  };
}
