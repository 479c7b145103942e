import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
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

test('the launcher has the help at hand, and it is that of the program', async () => {
  const launcher = fileURLToPath(new URL('../bin/tollgate.js', import.meta.url));
  for (const flag of ['--help', '-h']) {
    const { stdout } = await promisify(execFile)(process.execPath, [launcher, flag]);
    expect(stdout).toBe((await runCli([flag])).stdout);
  }
});

test('no library is loaded before a command asks for it: --help answers at once', async () => {
  await runCli(['--version']); // builds
  const dist = fileURLToPath(new URL('../../dist', import.meta.url));
  const imported = await importedAtOnce(dist, 'cli.js');
  const [own, others] = [imported.filter((name) => name.startsWith('./')), imported.filter((name) => !name.startsWith('./'))];
  expect(own.length).toBeGreaterThan(0);
  expect(others.filter((name) => !isBuiltin(name))).toEqual([]);
});

/** Every specifier that is imported statically, of our own chunks and from them on. */
async function importedAtOnce(folder: string, file: string, seen = new Set<string>()): Promise<string[]> {
  const text = await readFile(join(folder, file), 'utf8');
  const named = [...text.matchAll(/^(?:import\b[^'"();]*|} from )"([^"\n]+)"/gm)].map((match) => match[1] as string);
  const fresh = named.filter((name) => !seen.has(name));
  for (const name of fresh) seen.add(name);
  for (const name of fresh.filter((each) => each.startsWith('./'))) await importedAtOnce(folder, name, seen);
  return [...seen];
}
