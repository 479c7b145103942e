import { type Database, openDatabase } from '@tollgate/postgres/database';
import type { LimitsPatch } from '@tollgate/postgres/limit-columns';
import { setLimits } from '@tollgate/postgres/limits';
import { createOrganization, type Organization } from '@tollgate/postgres/organizations';
import { createLogger } from '@tollgate/service-kit/log';
import { freshDatabase } from '@tollgate/testing/database';
import { onTestFinished } from 'vitest';
import { readConfig } from '../src/config.js';
import { startRateLimitService } from '../src/service.js';
import { type Descriptor, descriptorOf, envoyClient, type LimitAnswer } from './envoy-client.js';

export interface RunningRateLimit {
  /** Where Envoy asks. */
  address: string;
  db: Database;
  organization: Organization;
  /** Asks for the organization, or for what the descriptor says. */
  take(parts?: Partial<Descriptor>, keyId?: string): Promise<LimitAnswer>;
  /** As take, at no cost. */
  look(keyId?: string): Promise<LimitAnswer>;
  client: Awaited<ReturnType<typeof envoyClient>>;
  /** Of the admin port. */
  page(path: string): Promise<{ status: number; text: string }>;
  close(): Promise<void>;
}

/** What a test database needs not to be slower than the test machine allows. */
const PATIENT = { LIMITS_LOOKUP_TIMEOUT: '5s', RATELIMIT_STORE_TIMEOUT: '2s' };

/** A database with one organization on the plan basic, with these limits of its own. */
export async function anOrganization(limits: LimitsPatch = {}, serverUrl?: string) {
  const fresh = await freshDatabase(serverUrl === undefined ? {} : { serverUrl });
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
    if (serverUrl === undefined) await fresh.close();
  });
  const organization = await createOrganization(db, { name: 'Acme', plan: 'basic', billingAnchorDay: 1 }, 'tester');
  if (Object.keys(limits).length > 0) await setLimits(db, { organizationId: organization.id }, limits, 'tester');
  return { url: fresh.url, db, organization };
}

/** The limiter over this database and the store that `env` names. Ready. */
export async function runningRateLimit(
  { url, db, organization }: Awaited<ReturnType<typeof anOrganization>>,
  env: Record<string, string>,
): Promise<RunningRateLimit> {
  const listen = { RATELIMIT_LISTEN: '127.0.0.1:0', ADMIN_LISTEN: '127.0.0.1:0' };
  const config = readConfig({ ...listen, DATABASE_URL: url, ...PATIENT, ...env });
  const log = createLogger({ service: 'ratelimit', level: 'silent' });
  const service = await startRateLimitService(config, { log });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= service.close();
    return closing;
  };
  onTestFinished(close);
  await service.ready;
  const client = await envoyClient(service.address);
  const take: RunningRateLimit['take'] = (parts, keyId) =>
    client.ask({ descriptors: [descriptorOf(organization.id, keyId, parts)] }, 'stream-1');
  return {
    ...{ address: service.address, db, organization, client, take, close },
    look: (keyId) => take({ hits_addend: { value: 0 } }, keyId),
    async page(path) {
      const response = await fetch(`http://${service.adminAddress}${path}`);
      return { status: response.status, text: await response.text() };
    },
  };
}
