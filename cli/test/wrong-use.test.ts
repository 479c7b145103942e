import { freshDatabase } from '@tollgate/testing/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cli, cliHere, cliOn } from './run-cli.js';

let close: () => Promise<void>;
let cli: Cli;
let program: Cli;

beforeAll(async () => {
  const database = await freshDatabase();
  close = database.close;
  cli = cliHere(database.url);
  program = cliOn(database.url);
  await cli.json('org', 'create', '--name', 'Acme');
});
afterAll(() => close());

const KEY = '0f8fad5b-d9cb-469f-a165-70867728950e';

test.each([
  ['no command', 2, []],
  ['a noun without a verb', 2, ['org']],
  ['an unknown noun', 2, ['tenant', 'list']],
  ['an unknown verb', 2, ['org', 'lst']],
  ['an unknown flag', 2, ['org', 'list', '--all']],
  ['a flag of another command', 2, ['org', 'list', '--plan', 'basic']],
  ['a word too many', 2, ['org', 'get', 'Acme', 'Ltd']],
  ['a word after --', 2, ['org', 'get', '--', 'Acme']],
  ['a flag without its value', 2, ['org', 'create', '--name']],
  ['an unknown format', 2, ['org', 'list', '-o', 'xml']],
  ['a format twice', 2, ['org', 'list', '-o', 'table']],
  ['a missing name', 2, ['org', 'create']],
  ['an empty name', 2, ['org', 'create', '--name=']],
  ['a blank name', 2, ['org', 'create', '--name', '  ']],
  ['a name twice', 2, ['org', 'create', '--name', 'a', '--name', 'b']],
  ['a name like an id', 2, ['org', 'create', '--name', KEY]],
  ['a name with an escape', 2, ['org', 'create', '--name', 'a\u001b[2Jb']],
  ['a name with a line break', 2, ['org', 'create', '--name', 'a\nb']],
  ['a name of 201 characters', 2, ['org', 'create', '--name', 'x'.repeat(201)]],
  ['an unknown plan', 3, ['org', 'create', '--name', 'New', '--plan', 'gold']],
  ['an anchor day of 32', 2, ['org', 'create', '--name', 'New', '--billing-anchor-day', '32']],
  ['an anchor day of 0', 2, ['org', 'create', '--name', 'New', '--billing-anchor-day', '0']],
  ['an anchor day in words', 2, ['org', 'create', '--name', 'New', '--billing-anchor-day', 'first']],
  ['no organization', 2, ['org', 'get']],
  ['an empty organization', 2, ['org', 'get', '']],
  ['a dash', 3, ['org', 'get', '-']],
  ['an organization twice', 2, ['org', 'get', 'Acme', '--org-id', 'Acme']],
  ['an unknown organization', 3, ['org', 'get', 'nobody']],
  ['an unknown id', 3, ['org', 'get', KEY]],
  ['SQL', 3, ['org', 'get', "' OR true --"]],
  ['a wildcard', 3, ['org', 'get', '%']],
  ['nothing to change', 2, ['org', 'update', 'Acme']],
  ['an unknown organization to suspend', 3, ['org', 'suspend', 'nobody', '--yes']],
  ['a key for nobody', 2, ['key', 'create', '--name', 'a']],
  ['a key for an unknown organization', 3, ['key', 'create', '--org', 'nobody', '--name', 'a']],
  ['a key without a name', 2, ['key', 'create', '--org', 'Acme']],
  ['an unknown environment', 2, ['key', 'create', '--org', 'Acme', '--name', 'a', '--env', 'prod']],
  ['an end in the past', 2, ['key', 'create', '--org', 'Acme', '--name', 'a', '--expires', '2001-01-01']],
  ['the 31st of February', 2, ['key', 'create', '--org', 'Acme', '--name', 'a', '--expires', '2099-02-31']],
  ['a time without a zone', 2, ['key', 'create', '--org', 'Acme', '--name', 'a', '--expires', '2099-01-01T10:00:00']],
  ['a day in words', 2, ['key', 'create', '--org', 'Acme', '--name', 'a', '--expires', 'tomorrow']],
  ['a scope with a blank', 2, ['key', 'create', '--org', 'Acme', '--name', 'a', '--scopes', 'a b']],
  ['a key that is no id', 2, ['key', 'get', 'backend']],
  ['the beginning of a secret, cut too short', 2, ['key', 'get', 'sk_live_4k2']],
  ['the beginning of no secret', 3, ['key', 'get', 'sk_live_0000']],
  ['a wildcard for a beginning', 3, ['key', 'revoke', 'sk_live_%%%%', '--yes']],
  ['an unknown key to rotate', 3, ['key', 'rotate', KEY]],
  ['no key to rotate', 2, ['key', 'rotate']],
  ['an overlap without a unit', 2, ['key', 'rotate', KEY, '--overlap', '24']],
  ['an overlap below nothing', 2, ['key', 'rotate', KEY, '--overlap=-1h']],
  ['an overlap in parts', 2, ['key', 'rotate', KEY, '--overlap', '1.5h']],
  ['an overlap in words', 2, ['key', 'rotate', KEY, '--overlap', 'a day']],
  ['no file to import', 2, ['key', 'import']],
  ['a file to import without a name', 2, ['key', 'import', '']],
  ['a file to import that is not there', 3, ['key', 'import', 'gone.jsonl']],
  ['an export of nobody', 3, ['key', 'export', '--org', 'nobody']],
  ['the history of nobody', 3, ['org', 'history', 'nobody']],
  ['a history of no entries', 2, ['org', 'history', 'Acme', '--limit', '0']],
  ['a history without end', 2, ['org', 'history', 'Acme', '--limit', '1001']],
  ['a history before words', 2, ['org', 'history', 'Acme', '--before', 'yesterday']],
  ['an id too short', 2, ['key', 'get', KEY.slice(1)]],
  ['an unknown key', 3, ['key', 'get', KEY]],
  ['an unknown key to revoke', 3, ['key', 'revoke', KEY, '--yes']],
  ['a plan in capitals', 2, ['plan', 'set', 'GOLD', '--per-minute', '1', '--burst', '1', '--per-day', '1']],
  ['a new plan without a day', 2, ['plan', 'set', 'gold', '--per-minute', '1', '--burst', '1']],
  ['usage of nobody', 2, ['usage', 'show']],
  ['usage of an unknown organization', 3, ['usage', 'show', '--org', 'nobody']],
  ['a range that ends first', 2, ['usage', 'show', '--org', 'Acme', '--from', '2026-02-01', '--to', '2026-01-01']],
  ['an unknown grouping', 2, ['usage', 'show', '--org', 'Acme', '--by', 'year']],
  ['no migration at all', 2, ['migrate', 'down', '--count', '0', '--yes']],
  ['migrations by a negative number', 2, ['migrate', 'down', '--count', '-1', '--yes']],
  ['nothing to validate', 2, ['config', 'validate']],
  ['a file that is not there', 3, ['config', 'validate', '--envoy', 'gone.yaml']],
])('%s: exit code %i, one JSON error, nothing on stdout', async (_, exitCode, words) => {
  const failure = await cli.failure(...words);
  expect(failure, failure.message).toMatchObject({ exitCode, code: expect.stringMatching(/^(wrong_use|invalid|not_found)$/) });
  expect(failure.message).toMatch(/^[^a-z].*[.?!)]$/s);
});

test.each([
  [2, ['org', 'list', '--all']],
  [2, ['org', 'create']],
  [3, ['org', 'get', 'nobody']],
])('a process ends with exit code %i as well, for %j', async (exitCode, words) => {
  const found = await program.failure(...words);
  const here = await cli.failure(...words);
  expect(found).toEqual(here);
  expect(found.exitCode).toBe(exitCode);
});

test('what has no ids prints none', async () => {
  const { exitCode, stdout, stderr } = await cli.run('usage', 'tail', '--org', 'Acme', '-o', 'id');
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toContain('table|json|csv');
});

test('after all that, nothing was written', async () => {
  expect(await cli.json('org', 'list')).toMatchObject([{ name: 'Acme', plan: 'basic' }]);
  expect(await cli.json('key', 'list')).toEqual([]);
  expect(await cli.json<unknown[]>('plan', 'list')).toHaveLength(3);
});

test('a person reads words, and no escape that came with them', async () => {
  const { exitCode, stdout, stderr } = await program.run('org', 'get', 'a\u001b[31m\u009b\u202eb');
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
  expect(stderr).toMatch(/^tollgate: There is no organization "a.*b"\.\n$/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for.
  expect(stderr.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
});
