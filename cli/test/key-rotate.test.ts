import { listAudit } from '@tollgate/postgres/audit';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { freshDatabase } from '@tollgate/testing/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fieldsOf, SHAPES } from './json-shapes.js';
import { type Cli, cliHere, cliOn, runCli } from './run-cli.js';

let close: () => Promise<void>;
let url: string;
let cli: Cli;
let here: Cli;
let db: Database;

type Key = typeof SHAPES.key & { key: string; old_key_ends_at: string };

beforeAll(async () => {
  const database = await freshDatabase();
  url = database.url;
  cli = cliOn(url);
  here = cliHere(url);
  const options = { url, maxConnections: 1, connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };
  db = openDatabase({ ...options, applicationName: 'test', onError: () => {} });
  close = async () => {
    await db.close();
    await database.close();
  };
  await here.json('org', 'create', '--name', 'Acme');
});
afterAll(() => close());

const create = (...words: string[]) => here.json<Key>('key', 'create', '--org', 'Acme', '--name', 'backend', ...words);
const isValid = async (secret: string) =>
  (await runCli(['key', 'verify'], { env: { DATABASE_URL: url }, stdin: secret })).exitCode === 0;

test('a rotated key goes on for a day unless told otherwise, and each of the pair knows the other', async () => {
  const old = await create('--scopes', 'orders:read');
  const before = Date.now();
  const { key, old_key_ends_at: endsAt, ...made } = await cli.json<Key>('key', 'rotate', old.id);
  expect(fieldsOf(made)).toEqual(fieldsOf(SHAPES.key));
  expect(made).toMatchObject({ name: 'backend', scopes: ['orders:read'], rotated_from: old.id, replaced_by: null });
  expect(made.prefix).toBe(key.slice(0, 12));
  expect(Math.abs(Date.parse(endsAt) - before - 86_400_000)).toBeLessThan(60_000);
  expect(await here.json('key', 'get', old.id)).toMatchObject({ replaced_by: made.id, expires_at: endsAt, revoked_at: null });
  expect([await isValid(old.key), await isValid(key)]).toEqual([true, true]);

  const { stdout } = await here.run('key', 'list', '--org', 'Acme');
  expect(stdout).toContain(`replaced by ${made.id}`);
  expect(stdout).toContain(`from ${old.id}`);
  expect(await here.failure('key', 'rotate', old.id)).toMatchObject({ exitCode: 5, code: 'conflict' });
});

test('without an overlap the old key is refused at once, and only after a yes', async () => {
  const old = await create();
  expect(await cli.failure('key', 'rotate', old.id, '--overlap', '0')).toMatchObject({ exitCode: 2, message: /--yes/ });
  expect(await isValid(old.key)).toBe(true);
  const { exitCode, stdout, stderr } = await cli.run('key', 'rotate', old.id, '--overlap', '0', '--yes');
  const secret = /sk_live_[a-z0-9]{32}/.exec(stdout)?.[0] ?? '';
  expect(exitCode).toBe(0);
  expect(stderr).toContain('refused from now on');
  expect([await isValid(old.key), await isValid(secret)]).toEqual([false, true]);
});

test('the new secret is in the one answer, and nowhere else', async () => {
  const old = await create();
  const rotated = await cli.run('key', 'rotate', '--key-id', old.id, '--overlap', '2h');
  const secret = /sk_live_[a-z0-9]{32}/.exec(rotated.stdout)?.[0] ?? '';
  expect(secret).not.toBe('');
  expect(rotated.stderr).toContain('this once');
  expect(rotated.stderr).toMatch(/The old key, .*, ends at 2\d{3}-/);
  const later = [
    await here.run('key', 'list', '-o', 'json'),
    await here.run('key', 'get', secret.slice(0, 12)),
    await here.run('key', 'rotate', secret),
    await here.run('key', 'rotate', `${secret.slice(8)}`),
    await here.run('key', 'export'),
    await here.run('org', 'history', 'Acme'),
  ];
  for (const { stdout, stderr } of [{ ...rotated, stdout: '' }, ...later])
    expect(`${stdout}${stderr}`).not.toContain(secret.slice(12));
  const kept = [await listAudit(db, { limit: 100 }), await db.query('SELECT * FROM api_keys')];
  expect(JSON.stringify(kept)).not.toContain(secret.slice(12));
});

test('no id alone is printed of a rotation, whose secret would be lost', async () => {
  const old = await create();
  expect(await here.run('key', 'rotate', old.id, '-o', 'id')).toMatchObject({ exitCode: 2, stdout: '' });
  expect(await here.json('key', 'get', old.id)).toMatchObject({ replaced_by: null });
});

test('a key may be named by its first 12 characters, as long as no other begins so', async () => {
  const [one, two] = [await create(), await create()];
  expect(await cli.json('key', 'get', one.prefix)).toMatchObject({ id: one.id });
  expect(await here.json('limits', 'set', 'Acme', '--key', one.prefix, '--per-minute', '5')).toMatchObject({ key_id: one.id });
  await db.query('UPDATE api_keys SET prefix = $1 WHERE id = $2', [one.prefix, two.id]);
  for (const verb of ['get', 'rotate', 'revoke']) {
    const failure = await here.failure('key', verb, one.prefix, ...(verb === 'revoke' ? ['--yes'] : []));
    expect(failure).toMatchObject({ exitCode: 5, code: 'conflict' });
    expect(failure.message).toContain(one.id);
    expect(failure.message).toContain(two.id);
  }
  expect(await here.json('key', 'get', one.id)).toMatchObject({ revoked_at: null, replaced_by: null });
  expect(await here.json<Key[]>('key', 'list', '--prefix', one.prefix)).toHaveLength(2);
});

test('the history of an organization tells who did what, newest first, and turns its pages', async () => {
  await here.json('org', 'create', '--name', 'Told');
  await here.json('org', 'suspend', 'Told', '--yes');
  const { id } = await cliOn(url, { env: { TOLLGATE_ACTOR: 'carol' } }).json<{ id: string }>('org', 'resume', 'Told');
  type Entry = (typeof SHAPES)['org history'];
  const entries = await cli.json<Entry[]>('org', 'history', 'Told');
  expect(entries.map(({ actor, action }) => [actor, action])).toEqual([
    ['carol', 'organization.resume'],
    ['tester', 'organization.suspend'],
    ['tester', 'organization.create'],
  ]);
  expect(entries[0]).toMatchObject({ organization_id: id, subject_id: id });
  expect(fieldsOf({ ...entries[0], details: null })).toEqual(fieldsOf({ ...SHAPES['org history'], details: null }));
  expect(await here.json('org', 'history', 'Told', '--limit', '2')).toEqual(entries.slice(0, 2));
  expect(await here.json('org', 'history', '--org-id', id, '--before', entries[1]?.id ?? '')).toEqual(entries.slice(2));
});
