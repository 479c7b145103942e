import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashApiKey } from '@tollgate/domain/api-key';
import { findApiKeyByHash, findKeyByHash, revokeApiKey } from '@tollgate/postgres/api-keys';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { setOrganizationActive } from '@tollgate/postgres/organizations';
import { prepareDemo } from '@tollgate/standalone/demo';
import { freshDatabase } from '@tollgate/testing/database';
import { beforeEach, expect, test } from 'vitest';

let dataFolder: string;
let db: Database;

beforeEach(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'standalone-'));
  const closeDatabase = await openFresh();
  return async () => {
    await closeDatabase();
    await rm(dataFolder, { recursive: true, force: true });
  };
});

async function openFresh(): Promise<() => Promise<void>> {
  const { url, close } = await freshDatabase();
  db = openDatabase({
    url,
    maxConnections: 1,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 10_000,
    applicationName: 'test',
    onError: () => {},
  });
  const opened = db;
  return async () => {
    await opened.close();
    await close();
  };
}

test('a newcomer gets an organization on the basic plan and a live key, kept for its owner alone', async () => {
  const demo = await prepareDemo(db, dataFolder);
  expect(await findKeyByHash(db, hashApiKey(demo.apiKey))).toMatchObject({
    organizationId: demo.organizationId,
    plan: 'basic',
    environment: 'live',
  });
  const file = join(dataFolder, 'demo.json');
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(demo);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('the next start finds the same key', async () => {
  const demo = await prepareDemo(db, dataFolder);
  expect(await prepareDemo(db, dataFolder)).toEqual(demo);
});

test('a suspended demo organization stays what it is: somebody may be trying just that', async () => {
  const demo = await prepareDemo(db, dataFolder);
  await setOrganizationActive(db, demo.organizationId, false, 'test');
  expect(await prepareDemo(db, dataFolder)).toEqual(demo);
});

test('a revoked key is replaced, within the same organization', async () => {
  const demo = await prepareDemo(db, dataFolder);
  const key = await findApiKeyByHash(db, hashApiKey(demo.apiKey));
  await revokeApiKey(db, key?.id ?? '', undefined, 'test');
  const next = await prepareDemo(db, dataFolder);
  expect(next.organizationId).toBe(demo.organizationId);
  expect(next.apiKey).not.toBe(demo.apiKey);
});

test.each(['', '{', '[]', '{"organizationId":1,"apiKey":null}'])('a file that is broken (%s) is made anew', async (text) => {
  await writeFile(join(dataFolder, 'demo.json'), text);
  const demo = await prepareDemo(db, dataFolder);
  expect(await findKeyByHash(db, hashApiKey(demo.apiKey))).toBeDefined();
  expect(await prepareDemo(db, dataFolder)).toEqual(demo);
});

test('another database gets a key of its own', async () => {
  const demo = await prepareDemo(db, dataFolder);
  const closeDatabase = await openFresh();
  const other = await prepareDemo(db, dataFolder);
  expect(other.apiKey).not.toBe(demo.apiKey);
  expect(await findKeyByHash(db, hashApiKey(other.apiKey))).toBeDefined();
  await closeDatabase();
});
