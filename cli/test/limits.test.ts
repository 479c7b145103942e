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
  await cli.json('org', 'create', '--name', 'Acme', '--plan', 'premium');
});
afterAll(() => close());

const NONE = { per_minute: null, burst: null, per_day: null, per_month: null, is_shadow: null };

test('the plans are listed, smallest first, and can be made and changed', async () => {
  const plans = await program.json<(typeof SHAPES.plan)[]>('plan', 'list');
  expect(plans.map(({ name }) => name)).toEqual(['basic', 'premium', 'enterprise']);
  expect(fieldsOf(plans[0])).toEqual(fieldsOf(SHAPES.plan));
  expect((await cli.run('plan', 'list', '-o', 'id')).stdout).toBe('basic\npremium\nenterprise\n');

  const made = await program.json(
    'plan',
    'set',
    'startup',
    '--per-minute',
    '500',
    '--burst',
    '750',
    '--per-day',
    '50000',
    '--per-month',
    '900000',
  );
  expect(made).toEqual({ name: 'startup', per_minute: 500, burst: 750, per_day: 50_000, per_month: 900_000, is_shadow: false });
  expect(await cli.json('plan', 'set', 'startup', '--per-minute', '200', '--per-month', 'none')).toEqual({
    ...{ name: 'startup', per_minute: 200, burst: 300, per_day: 50_000, per_month: null, is_shadow: false },
  });
});

test('a save tells how long the quota of a day lasts', async () => {
  const { stderr } = await cli.run('plan', 'set', 'advice', '--per-minute', '100', '--burst', '100', '--per-day', '10000');
  expect(stderr).toContain('10,000 requests of a day last 1 h 39 min');
});

test('limits are set, shown with their origin, and cleared', async () => {
  const set = await program.json('limits', 'set', 'Acme', '--per-minute', '600', '--per-month', '2000000');
  expect(set).toMatchObject({
    plan: 'premium',
    limits: { per_minute: 600, burst: 900, per_day: 100_000, per_month: 2_000_000 },
    override: { ...NONE, per_minute: 600, per_month: 2_000_000 },
    keys: [],
  });
  expect(await cli.json('limits', 'get', '--org-id', 'Acme')).toEqual(set);
  const { stdout } = await program.run('limits', 'get', 'Acme');
  expect(stdout).toMatch(/Per minute +600 {2}\(own\)/);
  expect(stdout).toMatch(/Per day +100,000 {2}\(the plan's\)/);

  expect(await cli.failure('limits', 'clear', 'Acme')).toMatchObject({ exitCode: 2 });
  expect(await program.json('limits', 'clear', 'Acme', '--yes')).toMatchObject({
    override: NONE,
    limits: { per_minute: 1000, burst: 1500 },
  });
});

test("a key's own limits stand beside those of its organization", async () => {
  const { id } = await cli.json<{ id: string }>('key', 'create', '--org', 'Acme', '--name', 'slow');
  const set = await cli.json('limits', 'set', 'Acme', '--key', id, '--per-minute', '10');
  expect(set).toMatchObject({ key_id: id, limits: { per_minute: 10, burst: 15 }, override: { per_minute: 10 } });
  expect(await cli.json('limits', 'get', 'Acme', '--key-id', id)).toEqual(set);
  const whole = await cli.json('limits', 'get', 'Acme');
  expect(fieldsOf(whole)).toEqual(fieldsOf(SHAPES.limits));
  expect(whole).toMatchObject({ limits: { per_minute: 1000 }, keys: [{ key_id: id }] });
  expect(await cli.json('limits', 'clear', 'Acme', '--key', id, '--yes')).toMatchObject({ key_id: id, override: NONE });

  await cli.json('org', 'create', '--name', 'Other');
  expect(await cli.failure('limits', 'set', 'Other', '--key', id, '--per-minute', '10')).toMatchObject({ exitCode: 3 });
});

test.each([
  ['a day below the minute', ['--per-day', '10']],
  ['a burst of more than ten minutes', ['--burst', '10001']],
  ['nothing', []],
  ['a zero', ['--per-minute', '0']],
  ['a negative number', ['--per-minute', '-5']],
  ['half a request', ['--per-minute', '1.5']],
  ['an exponent', ['--per-minute', '1e3']],
  ['a hexadecimal number', ['--per-minute', '0x10']],
  ['a number beyond all bounds', ['--per-day', '99999999999999999999']],
  ['an empty number', ['--per-minute=']],
  ['a mode and its opposite', ['--shadow', '--no-shadow']],
  ['a number twice', ['--per-minute', '5', '--per-minute', '6']],
])('limits of %s are refused and change nothing', async (_, words) => {
  const before = await cli.json('limits', 'get', 'Acme');
  expect(await cli.failure('limits', 'set', 'Acme', ...words)).toMatchObject({ exitCode: 2 });
  expect(await cli.json('limits', 'get', 'Acme')).toEqual(before);
});

test('a plan, an organization and a key can be put in shadow and taken out of it', async () => {
  const plan = ['plan', 'set', 'trial', '--per-minute', '50', '--burst', '60', '--per-day', '500'];
  expect(await cli.json(...plan, '--shadow')).toMatchObject({ is_shadow: true });
  expect(await cli.json('plan', 'set', 'trial', '--per-minute', '40')).toMatchObject({ per_minute: 40, is_shadow: true });
  expect((await cli.run('plan', 'list')).stdout).toMatch(/trial .* shadow$/m);

  await cli.json('org', 'create', '--name', 'Trial', '--plan', 'trial');
  expect(await cli.json('limits', 'get', 'Trial')).toMatchObject({ is_shadow: true, override: NONE });
  expect((await cli.run('limits', 'get', 'Trial')).stdout).toMatch(/Mode +shadow {2}\(the plan's\)/);
  expect(await cli.json('limits', 'set', 'Trial', '--no-shadow')).toMatchObject({
    is_shadow: false,
    override: { ...NONE, is_shadow: false },
  });
  expect((await cli.run('limits', 'get', 'Trial')).stdout).toMatch(/Mode +enforced {2}\(own\)/);

  const { id } = await cli.json<{ id: string }>('key', 'create', '--org', 'Trial', '--name', 'k');
  expect(await cli.failure('limits', 'set', 'Trial', '--key', id, '--shadow')).toMatchObject({ exitCode: 2, code: 'invalid' });
  const own = await cli.json('limits', 'set', 'Trial', '--key', id, '--per-minute', '5', '--shadow');
  expect(own).toMatchObject({ key_id: id, is_shadow: true, override: { per_minute: 5, is_shadow: true } });
  expect(await cli.json('limits', 'get', 'Trial')).toMatchObject({ is_shadow: false, keys: [{ is_shadow: true }] });
  expect((await cli.run('limits', 'get', 'Trial')).stdout).toMatch(/a day, in shadow$/m);
  expect(await cli.json('limits', 'clear', 'Trial', '--yes')).toMatchObject({ is_shadow: true, override: NONE });
  expect(await cli.json('plan', 'set', 'trial', '--no-shadow')).toMatchObject({ per_minute: 40, is_shadow: false });
});

test('a plan under which limits of an organization would not fit is a conflict', async () => {
  await cli.json('org', 'create', '--name', 'Tight');
  await cli.json('limits', 'set', 'Tight', '--per-day', '200');
  expect(await cli.failure('org', 'update', 'Tight', '--plan', 'enterprise')).toMatchObject({ exitCode: 5, code: 'conflict' });
  expect(await cli.json('org', 'get', 'Tight')).toMatchObject({ plan: 'basic' });
});
