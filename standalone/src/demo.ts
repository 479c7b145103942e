import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashApiKey } from '@tollgate/domain/api-key';
import { createApiKey, findKeyByHash } from '@tollgate/postgres/api-keys';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { createOrganization, findOrganization } from '@tollgate/postgres/organizations';

export interface Demo {
  organizationId: string;
  apiKey: string;
}

const ORGANIZATION_NAME = 'Demo';
const ACTOR = 'tollgate start';

/** As {@link prepareDemo}, on a connection of its own that ends with it. */
export async function demoIn(databaseUrl: string, dataFolder: string): Promise<Demo> {
  const db = openDatabase({
    url: databaseUrl,
    maxConnections: 1,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 10_000,
    applicationName: 'tollgate standalone',
    onError: () => {},
  });
  try {
    return await prepareDemo(db, dataFolder);
  } finally {
    await db.close();
  }
}

/**
 * The organization and key that a newcomer tries the gateway with. The secret is kept in `demo.json`, mode 0600, the one
 * place where a secret is kept, so that a second start prints it again. Where the file and the database differ (the
 * database is another one, the key was revoked or has gone), a new key is made.
 */
export async function prepareDemo(db: Database, dataFolder: string): Promise<Demo> {
  const file = join(dataFolder, 'demo.json');
  const kept = await readDemo(file);
  if (kept !== undefined && (await isUsable(db, kept))) return kept;
  const organizationId = await demoOrganization(db);
  const { secret } = await createApiKey(
    db,
    { organizationId, name: 'demo', environment: 'live', scopes: [], createdBy: ACTOR },
    ACTOR,
  );
  const demo = { organizationId, apiKey: secret };
  await writeFile(`${file}.new`, `${JSON.stringify(demo, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return demo;
}

async function readDemo(file: string): Promise<Demo | undefined> {
  try {
    const { organizationId, apiKey } = JSON.parse(await readFile(file, 'utf8')) as Partial<Demo>;
    if (typeof organizationId !== 'string' || typeof apiKey !== 'string') return undefined;
    return { organizationId, apiKey };
  } catch {
    return undefined;
  }
}

async function isUsable(db: Database, demo: Demo): Promise<boolean> {
  const key = await findKeyByHash(db, hashApiKey(demo.apiKey));
  return key !== undefined && key.revokedAtMs === undefined;
}

async function demoOrganization(db: Database): Promise<string> {
  const found = await findOrganization(db, ORGANIZATION_NAME);
  return (found ?? (await createOrganization(db, { name: ORGANIZATION_NAME, plan: 'basic', billingAnchorDay: 1 }, ACTOR))).id;
}
