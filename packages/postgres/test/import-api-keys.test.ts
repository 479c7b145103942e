import { hashApiKey } from '@tollgate/domain/api-key';
import type { KeyRow } from '@tollgate/domain/key-row';
import { findKeyByHash, findKeysByHash, listApiKeys, revokeApiKey } from '@tollgate/postgres/api-keys';
import { listAudit } from '@tollgate/postgres/audit';
import type { Database } from '@tollgate/postgres/database';
import { Conflict, Invalid } from '@tollgate/postgres/errors';
import { exportApiKeys } from '@tollgate/postgres/export-api-keys';
import { IMPORT_BATCH_ROWS, importApiKeys } from '@tollgate/postgres/import-api-keys';
import { expect, onTestFinished, test } from 'vitest';
import { HOSTILE_STRINGS } from './hostile-strings.js';
import { anOrganization, count, openFresh, openUrl } from './open-fresh.js';

const STRICT = { isDryRun: false, skipBad: false };

function aRow(n: number, parts: Partial<KeyRow> = {}): KeyRow {
  return {
    organization: 'Acme',
    name: `key ${n}`,
    environment: 'live',
    keyHash: hashApiKey(`secret ${n}`),
    prefix: 'acme_live_ab',
    scopes: [],
    ...parts,
  };
}

function importRows(db: Database, rows: KeyRow[], options = STRICT) {
  return importApiKeys(
    db,
    rows.map((row, i) => ({ line: i + 1, row })),
    options,
    'importer',
  );
}

async function allKeys(db: Database, filter: Parameters<typeof exportApiKeys>[1] = {}): Promise<KeyRow[]> {
  const keys: KeyRow[] = [];
  for await (const page of exportApiKeys(db, filter)) keys.push(...page);
  return keys;
}

const FULL: Partial<KeyRow> = {
  id: '0f8fad5b-d9cb-469f-a165-70867728950e',
  scopes: ['a', 'b:*'],
  createdAt: new Date('2020-01-02T03:04:05.678Z'),
  createdBy: 'alice',
  expiresAt: new Date('2021-01-01T00:00:00Z'),
  revokedAt: new Date('2020-06-01T00:00:00Z'),
  revokedReason: 'left',
};

test('a key is imported with everything that is known of it, and works by its hash', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const rows = [
    aRow(1, FULL),
    aRow(2, { organization: id.toUpperCase() }),
    aRow(3, { organization: ' aCME ', prefix: 'sk_live_4k2m' }),
  ];
  expect(await importRows(db, rows)).toEqual({ imported: 3, existing: 0, problems: [] });
  expect(await findKeyByHash(db, hashApiKey('secret 2'))).toMatchObject({ organizationId: id, scopes: [], environment: 'live' });
  const keys = await listApiKeys(db, {});
  expect(keys[0]).toMatchObject({ ...FULL, organizationId: id, prefix: 'acme_live_ab' });
  expect(keys[1]).toMatchObject({ createdBy: 'importer', expiresAt: undefined });
});

test('what was exported imports to the same, and the export holds no secret', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  await anOrganization(db, 'Other');
  await importRows(db, [aRow(1, FULL), ...HOSTILE_STRINGS.map((name, i) => aRow(i + 2, { name, createdBy: name }))]);
  await importRows(db, [aRow(99, { organization: 'Other' })]);
  const exported = await allKeys(db, { organizationId: id, pageRows: 3 });
  expect(exported).toHaveLength(1 + HOSTILE_STRINGS.length);
  const { db: second } = await openFresh();
  await anOrganization(second);
  expect(await importRows(second, exported)).toMatchObject({ imported: exported.length, problems: [] });
  expect(await allKeys(second)).toEqual(exported);
  expect(await allKeys(db)).toHaveLength(exported.length + 1);
  expect(await allKeys(db, { organizationId: 'nobody' })).toEqual([]);
});

test('a batch with a bad row changes nothing and tells every bad row, unless they are to be skipped', async () => {
  const { db } = await openFresh();
  await anOrganization(db);
  const rows = [
    aRow(1),
    aRow(2, { organization: 'Nobody' }),
    aRow(3, { name: ' ' }),
    aRow(4, { organization: 'a\0b' }),
    aRow(5, { expiresAt: new Date('2020-01-01') }),
    aRow(6, { scopes: ['A'] }),
    aRow(7, { createdBy: 'line\nbreak' }),
  ];
  const problems = [
    { line: 2, problem: 'there is no such organization' },
    { line: 3, problem: 'the name must have 1 to 200 characters' },
    { line: 4, problem: 'there is no such organization' },
    { line: 5, problem: 'expires_at lies in the past, so created_at is needed' },
    { line: 6, problem: expect.stringContaining('scope') as string },
    { line: 7, problem: 'the actor must not hold control characters' },
  ];
  expect(await importRows(db, rows)).toEqual({ imported: 0, existing: 0, problems });
  expect(await count(db, 'api_keys')).toBe(0);
  expect(await importRows(db, rows, { isDryRun: true, skipBad: true })).toEqual({ imported: 1, existing: 0, problems });
  expect(await count(db, 'api_keys')).toBe(0);
  expect(await importRows(db, rows, { isDryRun: false, skipBad: true })).toEqual({ imported: 1, existing: 0, problems });
  expect(await count(db, 'api_keys')).toBe(1);
});

test('an import that is repeated changes nothing, and brings no revoked key back', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  await importRows(db, [aRow(1)]);
  const [key] = await listApiKeys(db, { organizationId: id });
  await revokeApiKey(db, key?.id ?? '', 'leaked', 'tester');
  expect(await importRows(db, [aRow(1), aRow(2)])).toEqual({ imported: 1, existing: 1, problems: [] });
  expect(await importRows(db, [aRow(1), aRow(2)])).toEqual({ imported: 0, existing: 2, problems: [] });
  expect(await findKeyByHash(db, hashApiKey('secret 1'))).toMatchObject({ revokedAtMs: 0 });
});

test('a key of another organization, and an id that is taken, are never taken over', async () => {
  const { db } = await openFresh();
  await anOrganization(db);
  await anOrganization(db, 'Other');
  await importRows(db, [aRow(1, FULL)]);
  expect(await importRows(db, [aRow(1, { organization: 'Other' }), aRow(2, { id: FULL.id as string })])).toEqual({
    imported: 0,
    existing: 0,
    problems: [
      { line: 1, problem: 'the key belongs to another organization already' },
      { line: 2, problem: 'another key has this id' },
    ],
  });
  await expect(importRows(db, [aRow(3), aRow(3)])).rejects.toBeInstanceOf(Conflict);
  expect(await count(db, 'api_keys')).toBe(1);
});

test('an import is one reload for caches and one entry in the audit log of each organization', async () => {
  const { db } = await openFresh();
  const [acme, other] = [await anOrganization(db), await anOrganization(db, 'Other')];
  await db.query('DELETE FROM changes');
  await importRows(db, [...Array.from({ length: 150 }, (_, i) => aRow(i)), aRow(1_000, { organization: 'Other' })]);
  expect(await db.query('SELECT kind, subject FROM changes')).toEqual([{ kind: 'reload', subject: '' }]);
  const [entry] = await listAudit(db, { organizationId: acme.id, limit: 1 });
  expect(entry).toMatchObject({ actor: 'importer', action: 'api_key.import', subjectId: acme.id, details: { keys: 150 } });
  expect((await listAudit(db, { organizationId: other.id, limit: 1 }))[0]).toMatchObject({ details: { keys: 1 } });
});

test('after an import, look-ups by those who knew a small table do not read the whole of the large one', async () => {
  const { url } = await openFresh();
  const db = openUrl(url, 1);
  onTestFinished(() => db.close());
  await anOrganization(db);
  await importRows(db, [aRow(0)]);
  // As the server does by itself now and then.
  await db.query('ANALYZE api_keys');
  const plan = async () => JSON.stringify(await db.query(`EXPLAIN EXECUTE "find-keys-by-hash" ('{${hashApiKey('secret 1')}}')`));
  for (let i = 0; i < 10; i++) await findKeysByHash(db, [hashApiKey('secret 1')]);
  expect(await plan()).toContain('Seq Scan on api_keys');
  await importRows(
    db,
    Array.from({ length: IMPORT_BATCH_ROWS }, (_, i) => aRow(i + 1)),
  );
  expect(await plan()).not.toContain('Seq Scan on api_keys');
});

test('a batch is bounded, and the actor is checked before anything is written', async () => {
  const { db } = await openFresh();
  await anOrganization(db);
  const rows = Array.from({ length: IMPORT_BATCH_ROWS + 1 }, (_, i) => aRow(i));
  await expect(importRows(db, rows)).rejects.toBeInstanceOf(Invalid);
  await expect(importApiKeys(db, [{ line: 1, row: aRow(1) }], STRICT, '')).rejects.toBeInstanceOf(Invalid);
  expect(await importRows(db, [])).toEqual({ imported: 0, existing: 0, problems: [] });
});

test('100,000 keys are imported batch by batch and exported again', { timeout: 300_000 }, async () => {
  const { url } = await openFresh();
  const db = openUrl(url);
  await anOrganization(db);
  const all = 100_000;
  const startMs = performance.now();
  for (let first = 0; first < all; first += IMPORT_BATCH_ROWS) {
    const rows = Array.from({ length: IMPORT_BATCH_ROWS }, (_, i) => aRow(first + i, { scopes: ['orders:read'] }));
    expect(await importRows(db, rows)).toEqual({ imported: IMPORT_BATCH_ROWS, existing: 0, problems: [] });
  }
  const importedMs = performance.now();
  expect(new Set((await allKeys(db)).map(({ keyHash }) => keyHash)).size).toBe(all);
  console.info(`import ${Math.round(importedMs - startMs)} ms, export ${Math.round(performance.now() - importedMs)} ms`);
  await db.close();
});
