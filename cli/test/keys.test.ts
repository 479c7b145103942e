import { hashApiKey } from '@tollgate/domain/api-key';
import { listAudit } from '@tollgate/postgres/audit';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { freshDatabase } from '@tollgate/testing/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fieldsOf, SHAPES } from './json-shapes.js';
import { type Cli, cliHere, cliOn, runCli, runHere } from './run-cli.js';

let close: () => Promise<void>;
let url: string;
let cli: Cli;
let program: Cli;
let db: Database;

type Key = typeof SHAPES.key & { key: string };

beforeAll(async () => {
  const database = await freshDatabase();
  url = database.url;
  cli = cliHere(url);
  program = cliOn(url);
  db = openDatabase({
    url,
    maxConnections: 1,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 5_000,
    applicationName: 'test',
    onError: () => {},
  });
  close = async () => {
    await db.close();
    await database.close();
  };
  await cli.json('org', 'create', '--name', 'Acme');
});
afterAll(() => close());

test('a key is made, listed, shown and revoked', async () => {
  const words = ['--expires', '2099-01-31', '--scopes', 'orders:write, orders:read', '--created-by', 'alice'];
  const { key, ...made } = await program.json<Key>('key', 'create', '--org', 'Acme', '--name', 'backend', ...words);
  expect(key).toMatch(/^sk_live_[a-z0-9]{32}$/);
  expect(fieldsOf(made)).toEqual(fieldsOf(SHAPES.key));
  expect(made).toMatchObject({
    name: 'backend',
    environment: 'live',
    prefix: key.slice(0, 12),
    created_by: 'alice',
    revoked_at: null,
  });
  expect(made).toMatchObject({ scopes: ['orders:read', 'orders:write'], expires_at: '2099-01-31T00:00:00.000Z' });

  expect(await program.json('key', 'get', made.id)).toEqual(made);
  expect(await cli.json('key', 'get', '--key-id', made.id)).toEqual(made);
  expect(await program.json('key', 'list', '--org', 'Acme')).toEqual([made]);
  expect(await cli.json('key', 'list', '--prefix', made.prefix)).toEqual([made]);
  expect(await cli.json('key', 'list', '--prefix', 'sk_test_')).toEqual([]);

  const revoked = await program.json<Key>('key', 'revoke', made.id, '--reason', 'leaked', '--yes');
  expect(revoked).toMatchObject({ revoked_reason: 'leaked' });
  expect(await cli.json('key', 'revoke', made.id, '--reason', 'again', '--yes')).toEqual(revoked);
});

test('the secret is printed by key create alone, and is nowhere else', async () => {
  const created = await program.run('key', 'create', '--org', 'Acme', '--name', 'canary', '--env', 'test');
  const secret = /sk_test_[a-z0-9]{32}/.exec(created.stdout)?.[0] ?? '';
  expect(secret).not.toBe('');
  expect(created.stderr).not.toContain(secret);
  expect(created.stderr).toContain('this once');

  const id = (await cli.json<Key[]>('key', 'list', '--prefix', secret.slice(0, 12)))[0]?.id ?? '';
  const later = [
    await cli.run('key', 'list'),
    await cli.run('key', 'list', '-o', 'csv'),
    await cli.run('key', 'get', id, '-o', 'json'),
    await cli.run('key', 'revoke', id, '--yes'),
    // As people do by mistake.
    await cli.run('key', 'get', secret),
    await cli.run('key', 'revoke', secret, '-o', 'json'),
    await cli.run('key', 'verify', secret),
    await cli.run('org', 'get', secret),
    await cli.run('org', 'list', `--key=${secret}`),
    await runCli(['key', 'verify'], { env: { DATABASE_URL: url }, stdin: secret }),
  ];
  for (const { stdout, stderr } of later) expect(`${stdout}${stderr}`).not.toContain(secret.slice(12));
  expect(JSON.stringify(await listAudit(db, { limit: 100 }))).not.toContain(secret.slice(12));
  const stored = await db.query('SELECT * FROM api_keys');
  expect(JSON.stringify(stored)).not.toContain(secret.slice(12));
  expect(JSON.stringify(stored)).toContain(hashApiKey(secret));
});

test('no id alone is printed of a new key, whose secret would be lost', async () => {
  const before = await cli.json<Key[]>('key', 'list');
  expect(await cli.run('key', 'create', '--org', 'Acme', '--name', 'lost', '-o', 'id')).toMatchObject({
    exitCode: 2,
    stdout: '',
  });
  expect(await cli.json('key', 'list')).toEqual(before);
});

test('key verify judges as the gateway does', async () => {
  await cli.json('org', 'create', '--name', 'Judged');
  const secretOf = async (name: string) => (await cli.json<Key>('key', 'create', '--org', 'Judged', '--name', name)).key;
  const verify = async (stdin: string, run = runHere) => {
    const { exitCode, stdout } = await run(['key', 'verify', '-o', 'json'], { env: { DATABASE_URL: url }, stdin });
    return { exitCode, ...(JSON.parse(stdout) as (typeof SHAPES)['key verify']) };
  };
  const [good, revoked, expired] = [await secretOf('good'), await secretOf('revoked'), await secretOf('expired')];
  await db.query('UPDATE api_keys SET revoked_at = now() WHERE key_hash = $1', [hashApiKey(revoked)]);
  await db.query(
    "UPDATE api_keys SET created_at = now() - interval '2 days', expires_at = now() - interval '1 day' WHERE key_hash = $1",
    [hashApiKey(expired)],
  );

  const { exitCode, ...printed } = await verify(`${good}\n`, runCli);
  expect(exitCode).toBe(0);
  expect(printed).toMatchObject({ valid: true, code: null, environment: 'live', plan: 'basic' });
  expect(fieldsOf(printed)).toEqual(fieldsOf({ ...SHAPES['key verify'], scopes: [] }));
  expect(await verify(revoked, runCli)).toMatchObject({ exitCode: 1, valid: false, code: 'revoked_api_key' });
  expect(await verify(expired)).toMatchObject({ exitCode: 1, valid: false, code: 'expired_api_key' });
  expect(await verify('sk_live_00000000000000000000000000000000')).toMatchObject({ exitCode: 1, code: 'malformed_api_key' });
  expect(await verify(`${good}\n${good}`)).toMatchObject({ exitCode: 1, code: 'malformed_api_key' });
  expect(await verify('\u001b[2Jnonsense')).toMatchObject({ exitCode: 1, code: 'malformed_api_key', key_id: null });
  const foreign = 'made-elsewhere-4711-abcdefgh';
  expect(await verify(foreign)).toMatchObject({ exitCode: 1, code: 'malformed_api_key' });
  await db.query('UPDATE api_keys SET key_hash = $2 WHERE key_hash = $1', [
    hashApiKey(await secretOf('foreign')),
    hashApiKey(foreign),
  ]);
  expect(await verify(foreign)).toMatchObject({
    exitCode: 0,
    valid: true,
    message: expect.stringContaining('ACCEPT_FOREIGN_KEYS'),
  });
  await cli.json('org', 'suspend', 'Judged', '--yes');
  expect(await verify(foreign)).toMatchObject({ exitCode: 1, code: 'organization_suspended' });
  expect(await verify(good)).toMatchObject({ exitCode: 1, code: 'organization_suspended' });
  await db.query('DELETE FROM api_keys WHERE key_hash = $1', [hashApiKey(good)]);
  expect(await verify(good)).toMatchObject({ exitCode: 1, code: 'invalid_api_key', key_id: null });
});

test('without a key on stdin, or with far too much, key verify is used wrongly', async () => {
  for (const stdin of ['', ' \n', 'x'.repeat(100_000)])
    expect((await runHere(['key', 'verify'], { env: { DATABASE_URL: url }, stdin })).exitCode).toBe(2);
});

test('without --yes and without a terminal nothing is revoked', async () => {
  const { id } = await cli.json<Key>('key', 'create', '--org', 'Acme', '--name', 'kept');
  expect(await program.failure('key', 'revoke', id)).toMatchObject({ exitCode: 2, code: 'wrong_use' });
  expect(await cli.json('key', 'get', id)).toMatchObject({ revoked_at: null });
});

test('the audit log names who did it', async () => {
  const named = cliOn(url, { env: { TOLLGATE_ACTOR: 'carol' } });
  const { id } = await named.json<Key>('key', 'create', '--org', 'Acme', '--name', 'audited');
  const records = await listAudit(db, { limit: 100 });
  expect(records.find(({ subjectId }) => subjectId === id)).toMatchObject({ actor: 'carol', action: 'api_key.create' });
  expect(await named.json('key', 'get', id)).toMatchObject({ created_by: 'carol' });
  const hostile = cliOn(url, { env: { TOLLGATE_ACTOR: 'a\u001bb' } });
  expect(await hostile.failure('key', 'create', '--org', 'Acme', '--name', 'x')).toMatchObject({
    exitCode: 78,
    code: 'bad_settings',
  });
});
