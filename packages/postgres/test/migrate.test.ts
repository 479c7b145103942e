import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApiKey, listApiKeys } from '@tollgate/postgres/api-keys';
import { importApiKeys } from '@tollgate/postgres/import-api-keys';
import { setLimits } from '@tollgate/postgres/limits';
import { migrateDown, migrateUp, migrationStatus } from '@tollgate/postgres/migrate';
import { rotateApiKey } from '@tollgate/postgres/rotate-api-key';
import { storeUsage } from '@tollgate/postgres/usage-store';
import { freshDatabase } from '@tollgate/testing/database';
import { MIGRATIONS_FOLDER } from '@tollgate/testing/migrations-folder';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { describeSchema } from './describe-schema.js';
import { anEvent, anOrganization, openUrl } from './open-fresh.js';

const EMPTY_SCHEMA = /^(-- \w+\n|.*schema_migrations.*\n|\n)*$/;

test('the schema is the golden one', async () => {
  const { db } = await openEmpty(true);
  await expect(await describeSchema(db)).toMatchFileSnapshot(join(MIGRATIONS_FOLDER, 'schema.sql'));
});

test('the whole chain goes up, down and up again on an empty database', async () => {
  const { db, url } = await openEmpty(false);
  const options = { url, folder: MIGRATIONS_FOLDER };
  const names = await migrateUp(options);
  const schema = await describeSchema(db);
  expect(await migrateUp(options)).toEqual([]);
  expect(await migrateDown({ ...options, count: 1000 })).toEqual([...names].reverse());
  expect(await describeSchema(db)).toMatch(EMPTY_SCHEMA);
  expect(await migrateUp(options)).toEqual(names);
  expect(await describeSchema(db)).toBe(schema);
});

test('the whole chain goes down and up again on a database that was used', async () => {
  const { db, url } = await openEmpty(true);
  const { id } = await anOrganization(db);
  const { key } = await createApiKey(
    db,
    { organizationId: id, name: 'k', environment: 'live', scopes: ['a'], createdBy: 't' },
    'tester',
  );
  await setLimits(db, { organizationId: id, keyId: key.id }, { perMinute: 5 }, 'tester');
  const place = { group: 'g', logId: 'l', topic: 't', partition: 0, startOffset: 0n, nextOffset: 2n };
  await storeUsage(db, {
    ...place,
    events: [anEvent()],
    deadLetters: [{ offset: 1n, value: Buffer.from('x'), reason: 'not JSON' }],
  });
  const schema = await describeSchema(db);
  const options = { url, folder: MIGRATIONS_FOLDER };
  await migrateDown({ ...options, count: 1000 });
  expect(await describeSchema(db)).toMatch(EMPTY_SCHEMA);
  await migrateUp(options);
  expect(await describeSchema(db)).toBe(schema);
});

test('a server that is too old is refused before the first migration', async () => {
  const { db, url } = await openEmpty(false);
  // The server is asked in earnest, and answers by a function that stands before its own.
  await db.query('CREATE SCHEMA older');
  await db.query(`CREATE FUNCTION older.current_setting(name text) RETURNS text LANGUAGE sql AS
    $$ SELECT CASE name WHEN 'server_version' THEN '15.9' WHEN 'server_version_num' THEN '150009' END $$`);
  await db.query(
    `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = older, public, pg_catalog', current_database()); END $$`,
  );
  const migrating = migrateUp({ url, folder: MIGRATIONS_FOLDER });
  await expect(migrating).rejects.toMatchObject({
    name: 'ServerTooOld',
    message: expect.stringContaining('PostgreSQL 15.9 is too old'),
  });
  expect(await db.query(`SELECT FROM pg_tables WHERE tablename = 'api_keys'`)).toEqual([]);
});

test('two runs at the same time apply every migration once', async () => {
  const { url } = await openEmpty(false);
  const options = { url, folder: MIGRATIONS_FOLDER };
  const runs = await Promise.all([migrateUp(options), migrateUp(options), migrateUp(options)]);
  const { applied, pending } = await migrationStatus(options);
  expect(runs.flat().sort()).toEqual(applied.map(({ name }) => name));
  expect(pending).toEqual([]);
});

test('a database that is newer than the code is an error that says so', async () => {
  const { url } = await openEmpty(true);
  const folder = await aFolder();
  await migrateUp({ url, folder: await withMigration(folder, '9000_future') });
  await expect(migrateUp({ url, folder: MIGRATIONS_FOLDER })).rejects.toThrow(/newer than this version.*9000_future/);
  await expect(migrationStatus({ url, folder: MIGRATIONS_FOLDER })).rejects.toThrow(/newer than this version/);
});

test('a migration that was changed, or slipped in before an applied one, is refused', async () => {
  const { url } = await openEmpty(true);
  const folder = await aFolder();
  await withMigration(folder, '9000_late');
  await migrateUp({ url, folder });
  await writeFile(join(folder, '9000_late.up.sql'), 'CREATE TABLE other ()');
  await expect(migrateUp({ url, folder })).rejects.toThrow(/9000_late was changed/);
  await withMigration(folder, '9000_late');
  await withMigration(folder, '8000_early');
  await expect(migrateUp({ url, folder })).rejects.toThrow(/8000_early comes before 9000_late/);
});

test('two migrations with one number are refused', async () => {
  const { url } = await openEmpty(false);
  const folder = await aFolder();
  await withMigration(folder, '0001_again');
  await expect(migrateUp({ url, folder })).rejects.toThrow(/two migrations have the number/);
});

test('a migration that fails leaves nothing of itself, and those before it stay', async () => {
  const { db, url } = await openEmpty(true);
  const folder = await aFolder();
  await withMigration(folder, '9000_good');
  await withMigration(folder, '9001_bad', 'CREATE TABLE half (); SELECT 1 / 0;');
  await expect(migrateUp({ url, folder })).rejects.toThrow(/9001_bad: division by zero/);
  expect((await migrationStatus({ url, folder })).pending).toEqual(['9001_bad']);
  expect(await db.query("SELECT to_regclass('half') AS found")).toEqual([{ found: null }]);
});

test('a migration that PostgreSQL ends to break a deadlock is tried again', async () => {
  const { db, url } = await openEmpty(true);
  const up = 'LOCK TABLE plans; SELECT pg_advisory_xact_lock(7); LOCK TABLE organizations; CREATE TABLE m9000_locks ()';
  const folder = await withMigration(await aFolder(), '9000_locks', up);
  const waitsFor = (lock: string) =>
    until(() => db.query(`SELECT FROM pg_locks WHERE NOT granted AND ${lock}`).then(({ length }) => length > 0), 10_000, lock);
  let [migrated, used]: [Promise<string[]> | undefined, Promise<void> | undefined] = [undefined, undefined];
  await db.transaction(async (gate) => {
    await gate.query('SELECT pg_advisory_xact_lock(7)');
    migrated = migrateUp({ url, folder });
    await waitsFor("locktype = 'advisory'");
    used = db.transaction(async (user) => {
      // The one that looks first is the one that is ended.
      await user.query("SET LOCAL deadlock_timeout = '60s'");
      await user.query('LOCK TABLE organizations');
      await user.query('LOCK TABLE plans');
    });
    await waitsFor("relation = 'plans'::regclass");
  });
  await used;
  expect(await migrated).toEqual(['9000_locks']);
});

async function openEmpty(isMigrated: boolean) {
  const fresh = await freshDatabase({ isMigrated });
  const db = openUrl(fresh.url);
  onTestFinished(async () => {
    await db.close();
    await fresh.close();
  });
  return { db, url: fresh.url };
}

async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'migrations-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(MIGRATIONS_FOLDER, folder, { recursive: true });
  return folder;
}

async function withMigration(folder: string, name: string, up = `CREATE TABLE m${name} ()`): Promise<string> {
  await writeFile(join(folder, `${name}.up.sql`), up);
  await writeFile(join(folder, `${name}.down.sql`), `DROP TABLE m${name}`);
  return folder;
}

test('0007 goes down and up again with rotated keys and with prefixes of other systems', async () => {
  const { db, url } = await openEmpty(true);
  const { id } = await anOrganization(db);
  const wanted = { organizationId: id, name: 'k', environment: 'live', scopes: [], createdBy: 't' } as const;
  const { key } = await createApiKey(db, wanted, 'tester');
  await rotateApiKey(db, key.id, { overlapMs: 60_000 }, 'tester');
  const row = { organization: id, name: 'f', environment: 'live', keyHash: 'a'.repeat(64), prefix: 'acme', scopes: [] } as const;
  await importApiKeys(db, [{ line: 1, row: { ...row, scopes: [] } }], { isDryRun: false, skipBad: false }, 'tester');
  const schema = await describeSchema(db);
  const options = { url, folder: MIGRATIONS_FOLDER };
  const { applied } = await migrationStatus(options);
  const count = applied.length - applied.findIndex(({ name }) => name === '0007_key_rotation');
  await migrateDown({ ...options, count });
  await migrateUp(options);
  expect(await describeSchema(db)).toBe(schema);
  expect(await listApiKeys(db, {})).toHaveLength(3);
});

test('the tables hold a rotation together: one replacement, of the same organization, and not the key itself', async () => {
  const { db } = await openEmpty(true);
  const { id } = await anOrganization(db);
  const { id: otherId } = await anOrganization(db, 'Other');
  const wanted = { organizationId: id, name: 'k', environment: 'live', scopes: [], createdBy: 't' } as const;
  const [one, two, three] = [
    (await createApiKey(db, wanted, 'tester')).key.id,
    (await createApiKey(db, wanted, 'tester')).key.id,
    (await createApiKey(db, { ...wanted, organizationId: otherId }, 'tester')).key.id,
  ];
  const link = (key: string, from: string) => db.query('UPDATE api_keys SET rotated_from = $2 WHERE id = $1', [key, from]);
  await expect(link(one, one)).rejects.toThrow('rotated_from_another');
  await expect(link(three, one)).rejects.toThrow('rotated_within_organization');
  await link(two, one);
  const { key: four } = await createApiKey(db, wanted, 'tester');
  await expect(link(four.id, one)).rejects.toThrow('rotated_from_key');
});
