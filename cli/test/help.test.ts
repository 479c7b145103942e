import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { COMMANDS } from '../src/commands/all.js';
import { runCli, runHere } from './run-cli.js';

test.each(COMMANDS.map((command) => [`${command.noun} ${command.verb}`.trim(), command] as const))(
  'tollgate %s --help shows its example, and needs no database',
  async (name, { example }) => {
    const { exitCode, stdout, stderr } = await runHere([...name.split(' '), '--help']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout.replace(/\s+/g, ' ')).toContain(example);
  },
);

test('tollgate --help shows every noun', async () => {
  const { exitCode, stdout, stderr } = await runCli(['--help']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  for (const { noun } of COMMANDS) expect(stdout).toContain(`tollgate ${noun}`);
});

test('help is English whatever the language of the system is', async () => {
  expect((await runCli(['--help'], { env: { LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8' } })).stdout).toContain('Show help');
});

test('a shell can complete nouns, verbs and flags', async () => {
  expect((await runCli(['completion'])).stdout).toContain('complete -o');
  expect((await runCli(['--get-yargs-completions', 'tollgate', 'key', 're'])).stdout).toContain('revoke');
  expect((await runCli(['--get-yargs-completions', 'tollgate', 'key', 'create', '--cr'])).stdout).toContain('--created-by');
});

test('the launcher starts the same program', async () => {
  const launcher = fileURLToPath(new URL('../bin/tollgate.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [launcher, '--version']);
  expect(stdout).toBe((await runCli(['--version'])).stdout);
});
