import { apiKeyEnvironment, hashApiKey } from '@tollgate/domain/api-key';
import { keyDenial } from '@tollgate/domain/judge-key';
import {
  createApiKey,
  findApiKey,
  findApiKeyByHash,
  findKeyByHash,
  findKeysByHash,
  listApiKeys,
  listKeyHashes,
  type NewApiKey,
  recordKeyUse,
  revokeApiKey,
} from '@tollgate/postgres/api-keys';
import { listAudit } from '@tollgate/postgres/audit';
import type { Database } from '@tollgate/postgres/database';
import { Invalid, NotFound } from '@tollgate/postgres/errors';
import { setOrganizationActive } from '@tollgate/postgres/organizations';
import { expect, test } from 'vitest';
import { HOSTILE_STRINGS } from './hostile-strings.js';
import { anOrganization, openFresh } from './open-fresh.js';

const TOMORROW = new Date(Date.now() + 86_400_000);

function aKey(db: Database, organizationId: string, parts: Partial<NewApiKey> = {}) {
  return createApiKey(
    db,
    { organizationId, name: 'key', environment: 'live', scopes: [], createdBy: 'alice', ...parts },
    'tester',
  );
}

test('a key that was made authenticates by the hash of its secret', async () => {
  const { db } = await openFresh();
  const { id: organizationId } = await anOrganization(db);
  const { secret, key } = await aKey(db, organizationId, { environment: 'test', scopes: ['b', 'a', 'b'], expiresAt: TOMORROW });
  expect(apiKeyEnvironment(secret)).toBe('test');
  expect(await findKeyByHash(db, hashApiKey(secret))).toEqual({
    id: key.id,
    organizationId,
    environment: 'test',
    scopes: ['a', 'b'],
    plan: 'basic',
    organizationIsActive: true,
    expiresAtMs: TOMORROW.getTime(),
    revokedAtMs: undefined,
  });
  expect(key).toMatchObject({ prefix: secret.slice(0, 12), createdBy: 'alice', lastUsedAt: undefined, revokedAt: undefined });
  expect(await findApiKeyByHash(db, hashApiKey(secret))).toEqual(key);
  expect(await findKeyByHash(db, hashApiKey('other'))).toBeUndefined();
});

test('many keys are found at once as each would be alone, and unknown hashes are left out', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const secrets = [(await aKey(db, id, { scopes: ['*', 'a:*'] })).secret, (await aKey(db, id, { environment: 'test' })).secret];
  const hashes = [...secrets.map(hashApiKey), hashApiKey('other')];
  const found = await findKeysByHash(db, hashes);
  expect([...found.keys()].sort()).toEqual(hashes.slice(0, 2).sort());
  for (const hash of found.keys()) expect(found.get(hash)).toEqual(await findKeyByHash(db, hash));
  expect(await findKeysByHash(db, [])).toEqual(new Map());
});

test('the secret is nowhere in the database', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const { secret } = await aKey(db, id);
  const rows = await db.query(
    "SELECT query_to_xml('SELECT t::text FROM ' || table_name || ' AS t', true, false, '')::text AS content " +
      "FROM information_schema.tables WHERE table_schema = 'public'",
  );
  expect(JSON.stringify(rows)).toContain(secret.slice(0, 12));
  expect(JSON.stringify(rows)).not.toContain(secret.slice(12));
});

test('a revoked key is denied by any clock, however far it lags behind', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const { secret, key } = await aKey(db, id);
  await revokeApiKey(db, key.id, 'leaked', 'tester');
  const record = await findKeyByHash(db, hashApiKey(secret));
  expect(record && keyDenial(record, Date.now() - 3_600_000)).toBe('revoked_api_key');
});

test('a second revocation keeps the time and the reason of the first, and is not recorded', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const { key } = await aKey(db, id);
  const first = await revokeApiKey(db, key.id, 'leaked', 'tester');
  expect(first).toMatchObject({ wasRevoked: false, key: { revokedReason: 'leaked' } });
  expect(await revokeApiKey(db, key.id, 'again', 'tester')).toEqual({ key: first.key, wasRevoked: true });
  const actions = (await listAudit(db, { organizationId: id, limit: 10 })).map(({ action }) => action);
  expect(actions).toEqual(['api_key.revoke', 'api_key.create', 'organization.create']);
});

test('a suspended organization shows in the records of its keys', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const { secret } = await aKey(db, id);
  await setOrganizationActive(db, id, false, 'tester');
  expect(await findKeyByHash(db, hashApiKey(secret))).toMatchObject({ organizationIsActive: false });
});

test('keys are listed by organization and by prefix', async () => {
  const { db } = await openFresh();
  const [one, two] = [await anOrganization(db, 'one'), await anOrganization(db, 'two')];
  const first = (await aKey(db, one.id)).key;
  const second = (await aKey(db, one.id, { environment: 'test' })).key;
  const third = (await aKey(db, two.id)).key;
  expect(await listApiKeys(db, {})).toEqual([first, second, third]);
  expect(await listApiKeys(db, { organizationId: one.id })).toEqual([first, second]);
  expect(await listApiKeys(db, { organizationId: one.id, prefix: 'sk_t' })).toEqual([second]);
  for (const prefix of [...HOSTILE_STRINGS, '\0', 'sk%', '_k']) expect(await listApiKeys(db, { prefix })).toEqual([]);
  for (const text of [...HOSTILE_STRINGS, '\0']) {
    expect(await listApiKeys(db, { organizationId: text })).toEqual([]);
    expect(await findApiKey(db, text)).toBeUndefined();
    expect(await findKeyByHash(db, hashApiKey(text))).toBeUndefined();
  }
});

test('hostile names, reasons and makers come back as they were given', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  for (const text of HOSTILE_STRINGS) {
    const { key } = await aKey(db, id, { name: text, createdBy: text });
    await revokeApiKey(db, key.id, text, text);
    expect(await findApiKey(db, key.id)).toMatchObject({ name: text, createdBy: text, revokedReason: text });
  }
});

test('what cannot be stored is refused in words', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  await expect(aKey(db, id, { expiresAt: new Date(0) })).rejects.toThrow('must expire in the future');
  for (const scopes of [
    ['a b'],
    [''],
    ['a,b'],
    ['A'],
    ['a:*:b'],
    ['a/b'],
    ['x'.repeat(65)],
    Array.from({ length: 65 }, (_, i) => `s${i}`),
  ])
    await expect(aKey(db, id, { scopes })).rejects.toBeInstanceOf(Invalid);
  await expect(aKey(db, id, { name: ' ' })).rejects.toBeInstanceOf(Invalid);
  for (const organizationId of ['33333333-3333-4333-8333-333333333333', 'nobody', '\0'])
    await expect(aKey(db, organizationId)).rejects.toBeInstanceOf(NotFound);
  await expect(revokeApiKey(db, 'nothing', undefined, 'tester')).rejects.toBeInstanceOf(NotFound);
  expect(await listApiKeys(db, {})).toEqual([]);
});

test('all hashes are read page by page, each once', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const hashes: string[] = [];
  for (let i = 0; i < 5; i++) hashes.push(hashApiKey((await aKey(db, id)).secret));
  const pages = [await listKeyHashes(db, '', 2)];
  while (pages.at(-1)?.length === 2) pages.push(await listKeyHashes(db, pages.flat().at(-1) ?? '', 2));
  expect(pages.map(({ length }) => length)).toEqual([2, 2, 1]);
  expect(pages.flat()).toEqual(hashes.sort((a, b) => (a < b ? -1 : 1)));
});

test('the last use of a key only moves forward, and a use of no key is passed over', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const { key } = await aKey(db, id);
  const [noon, later] = [new Date('2026-11-23T12:00:00Z'), new Date('2026-11-23T12:01:00Z')];
  await recordKeyUse(
    db,
    new Map([
      [key.id, later],
      ['33333333-3333-4333-8333-333333333333', noon],
    ]),
  );
  await recordKeyUse(db, new Map([[key.id, noon]]));
  expect((await findApiKey(db, key.id))?.lastUsedAt).toEqual(later);
});
