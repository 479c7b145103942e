import { freshDatabase } from '@tollgate/testing/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fieldsOf, SHAPES } from './json-shapes.js';
import { type Cli, cliHere, cliOn } from './run-cli.js';

let close: () => Promise<void>;
let cli: Cli;
let program: Cli;

beforeAll(async () => {
  const database = await freshDatabase();
  close = database.close;
  program = cliOn(database.url);
  cli = cliHere(database.url);
});
afterAll(() => close());

type Organization = typeof SHAPES.organization;

test('an organization is made, found by name and id, changed, suspended and resumed', async () => {
  const made = await program.json<Organization>(
    'org',
    'create',
    '--name',
    'Acme Ltd',
    '--plan',
    'premium',
    '--billing-anchor-day',
    '31',
  );
  expect(fieldsOf(made)).toEqual(fieldsOf(SHAPES.organization));
  expect(made).toMatchObject({ name: 'Acme Ltd', plan: 'premium', is_active: true, billing_anchor_day: 31 });
  expect(made.limits).toEqual({ per_minute: 1000, burst: 1500, per_day: 100_000, per_month: null });

  expect(await program.json('org', 'get', 'acme ltd')).toEqual(made);
  expect(await cli.json('org', 'get', made.id.toUpperCase())).toEqual(made);
  expect(await cli.json('org', 'get', '--org-id', made.id)).toEqual(made);
  expect(await program.json('org', 'list')).toEqual([made]);

  const changed = await program.json<Organization>(
    'org',
    'update',
    made.id,
    '--plan',
    'basic',
    '--name',
    'Acme Inc',
    '--billing-anchor-day',
    '1',
  );
  expect(changed).toMatchObject({ id: made.id, name: 'Acme Inc', plan: 'basic', billing_anchor_day: 1 });
  expect(await program.json('org', 'suspend', 'Acme Inc', '--yes')).toEqual({ ...changed, is_active: false });
  expect(await program.json('org', 'resume', 'Acme Inc')).toEqual(changed);
});

test('a name that is taken is a conflict, and nothing is made of it', async () => {
  await cli.json('org', 'create', '--name', 'Taken');
  expect(await program.failure('org', 'create', '--name', 'TAKEN')).toMatchObject({ exitCode: 5, code: 'conflict' });
  const names = (await cli.json<Organization[]>('org', 'list')).map(({ name }) => name.toLowerCase());
  expect(names.filter((name) => name === 'taken')).toHaveLength(1);
});

test('without --yes and without a terminal nothing is suspended', async () => {
  await cli.json('org', 'create', '--name', 'Careful');
  const failure = await program.failure('org', 'suspend', 'Careful');
  expect(failure).toMatchObject({ exitCode: 2, code: 'wrong_use' });
  expect(failure.message).toContain('--yes');
  expect(await cli.json('org', 'get', 'Careful')).toMatchObject({ is_active: true });
});

test.each([
  '007',
  '1e3',
  '0x10',
  '__proto__',
  'constructor',
  'true',
  '=1+1',
  '名前 🎈',
  "Robert'); DROP TABLE organizations;--",
  '$(id)',
  'a,b"c',
])('the name %j is data like any other', async (name) => {
  const made = await cli.json<Organization>('org', 'create', `--name=${name}`);
  expect(made.name).toBe(name);
  expect(await cli.json('org', 'get', name)).toEqual(made);
});

test('each format prints the same organizations', async () => {
  const rows = await cli.json<Organization[]>('org', 'list');
  const [table, csv, ids] = await Promise.all(['table', 'csv', 'id'].map((format) => cli.run('org', 'list', '-o', format)));
  expect(ids?.stdout).toBe(rows.map(({ id }) => `${id}\n`).join(''));
  expect(table?.stdout.trimEnd().split('\n')).toHaveLength(rows.length + 1);
  const lines = csv?.stdout.split('\r\n') ?? [];
  expect(lines[0]).toBe(
    'id,name,plan,is_active,billing_anchor_day,created_at,limits.per_minute,limits.burst,limits.per_day,limits.per_month',
  );
  expect(lines).toHaveLength(rows.length + 2);
  // A spreadsheet would run it.
  expect(csv?.stdout).toContain(",'=1+1,");
});
