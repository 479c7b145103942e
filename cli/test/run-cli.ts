import { execFile, spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DEADLINE_MS = 30_000;

export interface CliRun {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  env?: Record<string, string>;
  stdin?: string;
  /** Where it runs; a folder of its own unless told. */
  cwd?: string;
}

let built: Promise<unknown> | undefined;

/** The built program as a process of its own, in an environment that holds nothing but what the test gives. */
export async function runCli(words: readonly string[], { env = {}, stdin = '', cwd }: CliOptions = {}): Promise<CliRun> {
  built ??= promisify(execFile)(process.execPath, [join(ROOT, 'scripts', 'build.mjs')]);
  await built;
  const folder = cwd ?? (await mkdtemp(join(tmpdir(), 'tollgate-cli-')));
  const child = spawn(process.execPath, [join(ROOT, 'dist', 'cli.js'), ...words], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', HOME: folder, ...env },
    timeout: DEADLINE_MS,
  });
  const run: CliRun = { exitCode: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    run.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    run.stderr += text;
  });
  // Most commands never read it, and may have ended before it is written.
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  run.exitCode = await new Promise((resolve) => child.once('close', resolve));
  expectNoStackTrace(run);
  return run;
}

function expectNoStackTrace({ stdout, stderr }: CliRun): void {
  expect(`${stdout}${stderr}`).not.toMatch(/^\s+at .+[:(]|node:internal|UnhandledPromise|file:\/\//m);
}

export interface Cli {
  run(...words: string[]): Promise<CliRun>;
  /** The JSON that a command prints; fails where it does not end well. */
  json<Value = Record<string, unknown>>(...words: string[]): Promise<Value>;
  /** How a command fails: its exit code, and the code of the error that it prints as JSON. */
  failure(...words: string[]): Promise<{ exitCode: number | null; code: string; message: string }>;
}

/** The CLI on one database. */
export function cliOn(databaseUrl: string, options: CliOptions = {}): Cli {
  const env = { DATABASE_URL: databaseUrl, TOLLGATE_ACTOR: 'tester', ...options.env };
  const run = (...words: string[]) => runCli(words, { ...options, env });
  return {
    run,
    async json<Value>(...words: string[]) {
      const { exitCode, stdout, stderr } = await run(...words, '-o', 'json');
      expect(exitCode, stderr).toBe(0);
      return JSON.parse(stdout) as Value;
    },
    async failure(...words) {
      const { exitCode, stdout, stderr } = await run(...words, '-o', 'json');
      expect(stdout).toBe('');
      const { error } = JSON.parse(stderr) as { error: { code: string; message: string } };
      return { exitCode, ...error };
    },
  };
}
