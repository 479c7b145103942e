import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashApiKey } from '@tollgate/domain/api-key';
import { freshDatabase } from '@tollgate/testing/database';
import { expect, onTestFinished, test } from 'vitest';
import { fieldsOf, SHAPES } from './json-shapes.js';
import { type Cli, cliHere, cliOn, runCli } from './run-cli.js';

type Summary = (typeof SHAPES)['key import'];

async function fresh(): Promise<{
  url: string;
  cli: Cli;
  here: Cli;
  fileOf(name: string, content: string | Buffer): Promise<string>;
}> {
  const database = await freshDatabase();
  onTestFinished(() => database.close());
  const here = cliHere(database.url);
  await here.json('org', 'create', '--name', 'Acme');
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-cli-'));
  const fileOf = async (name: string, content: string | Buffer) => {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  };
  return { url: database.url, cli: cliOn(database.url), here, fileOf };
}

function aKey(n: number, fields: object = {}) {
  const hash = hashApiKey(`secret ${n}`);
  return { organization: 'Acme', name: `key ${n}`, environment: 'live', key_hash: hash, prefix: 'acme_live_ab', ...fields };
}

function jsonLines(...keys: object[]): string {
  return keys.map((key) => `${JSON.stringify(key)}\n`).join('');
}

test('2,000 keys are imported from a file, again without a change, and exported to what imports elsewhere', async () => {
  const { cli, fileOf } = await fresh();
  const keys = Array.from({ length: 2_000 }, (_, n) => aKey(n, { scopes: ['orders:read'], expires_at: '2099-01-01T00:00:00Z' }));
  const file = await fileOf('keys.jsonl', jsonLines(...keys));
  const done = { file, dry_run: false, imported: 2_000, existing: 0, refused: 0, held_back: 0, problems: [] };
  expect(await cli.json<Summary>('key', 'import', file, '--dry-run')).toEqual({ ...done, dry_run: true });
  expect(await cli.json('key', 'list')).toEqual([]);
  expect(await cli.json<Summary>('key', 'import', file)).toEqual(done);
  expect(await cli.json<Summary>('key', 'import', file)).toEqual({ ...done, imported: 0, existing: 2_000 });

  for (const words of [[], ['-o', 'json'], ['-o', 'csv', '--org', 'Acme']]) {
    const exported = await cli.run('key', 'export', ...words);
    expect({ exitCode: exported.exitCode, stderr: exported.stderr }).toEqual({ exitCode: 0, stderr: '' });
    const second = await fresh();
    const { exitCode, stdout, stderr } = await runCli(['key', 'import', '-', '-o', 'json'], {
      env: { DATABASE_URL: second.url },
      stdin: exported.stdout,
    });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ file: '-', imported: 2_000 });
    expect((await second.here.run('key', 'export', ...words)).stdout).toBe(exported.stdout);
  }
});

test('a bad line keeps its whole batch from being written, is told by its number, and ends with exit code 1', async () => {
  const { cli, here, fileOf } = await fresh();
  const secret = `sk_live_${'a'.repeat(32)}`;
  const bad = [
    aKey(2, { organization: 'Nobody' }),
    aKey(3, { key: secret }),
    aKey(4, { name: secret.slice(8), environment: 'prod' }),
  ];
  const file = await fileOf('keys.jsonl', `${jsonLines(aKey(1))}\n${jsonLines(...bad)}${secret}\n${jsonLines(aKey(5), aKey(5))}`);
  const { exitCode, stdout, stderr } = await cli.run('key', 'import', file, '-o', 'json');
  const summary = JSON.parse(stdout) as Summary;
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
  expect(fieldsOf(summary)).toEqual(fieldsOf(SHAPES['key import']));
  expect(summary).toMatchObject({ imported: 0, existing: 0, refused: 5, held_back: 2 });
  expect(summary.problems.map(({ line }) => line)).toEqual([3, 4, 5, 6, 8]);
  expect(await here.json('key', 'list')).toEqual([]);

  const table = await here.run('key', 'import', file, '--skip-bad');
  expect(table.exitCode).toBe(1);
  expect(table.stderr).toContain('line 3: there is no such organization\n');
  for (const text of [stdout, table.stdout, table.stderr]) expect(text).not.toContain('a'.repeat(20));
  const names = (await here.json<{ name: string }[]>('key', 'list')).map(({ name }) => name);
  expect(new Set(names)).toEqual(new Set(['key 1', 'key 5']));
  expect(names).toHaveLength(2);
});

test('a batch that is refused keeps no other from being imported', async () => {
  const { here, fileOf } = await fresh();
  const keys = Array.from({ length: 5_001 }, (_, n) => aKey(n, n === 7 ? { environment: 'prod' } : {}));
  const { exitCode, stdout } = await here.run('key', 'import', await fileOf('keys', jsonLines(...keys)), '-o', 'json');
  expect({ exitCode, ...(JSON.parse(stdout) as Summary) }).toMatchObject({
    exitCode: 1,
    imported: 1,
    refused: 1,
    held_back: 4_999,
  });
});

test('a file is CSV by its ending or by its content', async () => {
  const { here, fileOf } = await fresh();
  const [fields, values] = [Object.keys(aKey(1)), Object.values(aKey(1))].map((cells) => cells.join(','));
  const csv = `\ufeff\r\n${fields}\r\n${values}\r\n`;
  expect(await here.json('key', 'import', await fileOf('keys.CSV', csv))).toMatchObject({ imported: 1 });
  expect(await here.json('key', 'import', await fileOf('keys.txt', csv))).toMatchObject({ existing: 1 });
  expect(await here.json('key', 'import', await fileOf('keys.txt', `\n\n${jsonLines(aKey(2))}`))).toMatchObject({ imported: 1 });
});

test.each([
  ['nothing', ''],
  ['blank lines', '\n \r\n'],
  ['an empty list of columns', 'organization,name,environment,key_hash,prefix\n'],
])('a file of %s imports nothing and is no failure', async (_, content) => {
  const { here, fileOf } = await fresh();
  expect(await here.json('key', 'import', await fileOf('keys', content))).toMatchObject({ imported: 0, refused: 0 });
});

test.each([
  ['no keys at all', 'canary-secret-1,canary-secret-2\n'],
  ['one endless line', `{"name":"${'canary'.repeat(400_000)}`],
  ['an open quote', `organization,name\n"${'canary\n'.repeat(400_000)}`],
  ['a list', `[${JSON.stringify(aKey(1, { name: 'canary' }))}]`],
  ['binary zeros', 'canary\0\0\n'.repeat(10)],
])('a file of %s is refused without a word of it', async (_, content) => {
  const { here, fileOf } = await fresh();
  const { exitCode, stdout, stderr } = await here.run('key', 'import', await fileOf('keys', content));
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^line 1|^line 2/);
  expect(`${stdout}${stderr}`).not.toContain('canary');
  expect(await here.json('key', 'list')).toEqual([]);
});

test('what cannot be read as text is a failure, not a name with question marks', async () => {
  const { here, fileOf } = await fresh();
  const latin = Buffer.from(jsonLines(aKey(1, { name: 'caf\u00e9' })), 'latin1');
  expect(await here.failure('key', 'import', await fileOf('keys.jsonl', latin))).toMatchObject({ exitCode: 1, message: /UTF-8/ });
  expect(await here.failure('key', 'import', tmpdir())).toMatchObject({ exitCode: 1, code: 'unreadable' });
  expect(await here.json('key', 'list')).toEqual([]);
});

test('an import that breaks off tells what was done, and goes on from there when it is run again', async () => {
  const { here, fileOf } = await fresh();
  const good = jsonLines(...Array.from({ length: 5_000 }, (_, n) => aKey(n)));
  const broken = await fileOf('keys.jsonl', Buffer.concat([Buffer.from(good), Buffer.alloc(200_000, 'x'), Buffer.from([0xff])]));
  expect(await here.failure('key', 'import', broken)).toMatchObject({ exitCode: 1, message: /5,000 keys were imported before/ });
  const whole = await fileOf('whole.jsonl', good + jsonLines(aKey(5_000)));
  expect(await here.json('key', 'import', whole)).toMatchObject({ imported: 1, existing: 5_000 });
});

test('an exported name acts on no terminal, and is whole where it is imported', async () => {
  const { here, fileOf } = await fresh();
  const name = 'a\u202eb\u2028c "quoted", =1+1';
  await here.json('key', 'import', await fileOf('keys.jsonl', jsonLines(aKey(1, { name }))));
  const { stdout } = await here.run('key', 'export');
  expect(stdout).not.toMatch(/[\u202e\u2028]/);
  expect(JSON.parse(stdout)).toMatchObject({ name, key_hash: hashApiKey('secret 1') });
});

test('an export of no keys is an empty file, with the names of its columns in CSV', async () => {
  const { cli } = await fresh();
  expect(await cli.run('key', 'export')).toMatchObject({ exitCode: 0, stdout: '' });
  expect(await cli.run('key', 'export', '-o', 'csv')).toMatchObject({ stdout: expect.stringMatching(/^id,organization,/) });
  expect(await cli.run('key', 'export', '-o', 'id')).toMatchObject({ exitCode: 2, stdout: '' });
});
