import { execFile, spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { runProgram } from '../src/program.js';
import type { Host } from '../src/run-command.js';

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

export interface StartedCli {
  /** What it has printed so far. */
  run: CliRun;
  /** Sends a signal, as Ctrl-C would. */
  signal(name: NodeJS.Signals): void;
  ended: Promise<CliRun>;
}

/** The built program as a process of its own, in an environment that holds nothing but what the test gives. */
export async function runCli(words: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  return (await startCli(words, options)).ended;
}

/** As {@link runCli}, for a program that goes on until it is told to end. */
export async function startCli(words: readonly string[], { env = {}, stdin = '', cwd }: CliOptions = {}): Promise<StartedCli> {
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
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve)).then((exitCode) => {
    run.exitCode = exitCode;
    expectNoStackTrace(run);
    return run;
  });
  return { run, signal: (name) => child.kill(name), ended };
}

/**
 * The same command in this process: for tables of cases, where starting a program for each would be nearly all of the time.
 * What belongs to a process (its start, its end, its folder, its pipes) is for {@link runCli} to show.
 */
export async function runHere(words: readonly string[], { env = {}, stdin = '' }: Omit<CliOptions, 'cwd'> = {}): Promise<CliRun> {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const [stdout, stderr] = [text(streams.stdout), text(streams.stderr)];
  const host = {
    ...streams,
    stdin: Readable.from([Buffer.from(stdin)]),
    environment: env,
    migrationsFolder: join(ROOT, 'migrations'),
  };
  const exitCode = await runProgram(words, host as unknown as Host);
  for (const stream of Object.values(streams)) stream.end();
  const run = { exitCode, stdout: await stdout, stderr: await stderr };
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

/** The CLI on one database, as a process for each command. */
export function cliOn(databaseUrl: string, options: CliOptions = {}): Cli {
  const env = { DATABASE_URL: databaseUrl, TOLLGATE_ACTOR: 'tester', ...options.env };
  return cliBy((words) => runCli(words, { ...options, env }));
}

/** The CLI on one database, in this process; see {@link runHere}. */
export function cliHere(databaseUrl: string): Cli {
  return cliBy((words) => runHere(words, { env: { DATABASE_URL: databaseUrl, TOLLGATE_ACTOR: 'tester' } }));
}

function cliBy(runWords: (words: readonly string[]) => Promise<CliRun>): Cli {
  const run = (...words: string[]) => runWords(words);
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
