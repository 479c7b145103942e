import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type GatewayFile, readGatewayFile } from '@tollgate/embedded/gateway-file';
import { endRecordedOrphans, forgetProcess, recordProcess } from '@tollgate/embedded/process-register';
import { cacheFolder, newRunFolder, readRunVariable } from '@tollgate/testing/run-environment';
import { type Answer, ask, type Request } from './http-client.js';

export const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const START_SCRIPT = join(PROJECT, 'scripts', 'start.mjs');
/** Generous: the first start on a machine prepares a database, and may build first. */
const READY_DEADLINE_MS = 90_000;

/** What `npm start -- --json` prints when it is ready. */
export interface ReadyLine {
  gatewayUrl: string;
  upstreamUrl: string;
  databaseUrl: string;
  organizationId: string;
  apiKey: string;
  adminUrl: string;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Gateway extends ReadyLine {
  /** Its DATA_DIR. */
  folder: string;
  pid: number;
  /** All that it has written so far. */
  stdout(): string;
  stderr(): string;
  exited: Promise<Exit>;
  /** Sends a request with the demo key, unless the headers say otherwise. */
  ask(path: string, request?: Request): Promise<Answer>;
  /** What it tells `npx tollgate` about itself. */
  gatewayFile(): Promise<GatewayFile | undefined>;
  /** What its user does: Ctrl-C. Resolves when it has ended. */
  interrupt(): Promise<Exit>;
  /** kill -9 of the one process, which leaves Envoy and PostgreSQL behind. */
  kill(): Promise<void>;
  /** Ends what is left of it, and removes its folder unless it was given. */
  close(): Promise<void>;
}

export interface GatewayOptions {
  /** DATA_DIR; a new one by default, which `close` removes. */
  folder?: string;
  env?: Record<string, string>;
}

/** Starts the product as its user does, in a process of its own, and resolves when it says that it is ready. */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const folder = options.folder ?? (await newDataFolder());
  const program = await startProgram(folder, options.env);
  const line = await Promise.race([program.firstLine(), program.exited.then(() => undefined)]);
  if (line === undefined) throw new Error(`the gateway ended before it was ready:\n${program.stderr()}`);
  const ready = JSON.parse(line) as ReadyLine;
  return {
    ...ready,
    ...program,
    folder,
    ask: (path, request = {}) =>
      ask(`${ready.gatewayUrl}${path}`, { ...request, headers: request.headers ?? { 'x-api-key': ready.apiKey } }),
    gatewayFile: () => readGatewayFile(folder),
    interrupt: () => program.stop('SIGINT'),
    kill: async () => {
      await program.stop('SIGKILL');
    },
    close: async () => {
      await program.stop('SIGINT');
      await endRecordedOrphans(folder);
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A DATA_DIR that goes with the test run. */
export async function newDataFolder(): Promise<string> {
  return (await newRunFolder('gateway')).folder;
}

export interface Program {
  pid: number;
  exited: Promise<Exit>;
  stdout(): string;
  stderr(): string;
  /** The first line on stdout; undefined where stdout ends without one. */
  firstLine(): Promise<string | undefined>;
  /** Resolves when the process has ended, of this signal or before. */
  stop(signal: NodeJS.Signals): Promise<Exit>;
  /** A terminal is closed: nobody reads any more, and SIGHUP tells so. */
  hangUp(): Promise<Exit>;
}

/** What `npm start` runs. */
const BY_ITSELF = [process.execPath, START_SCRIPT, 'standalone'] as const;
export const BY_NPM = ['npm', 'start', '--silent', '--'] as const;

/** Runs `npm start -- --json` (or with other arguments) on free ports; nothing of the tests' own environment reaches it. */
export async function startProgram(
  folder: string,
  env: Record<string, string> = {},
  args = ['--json'],
  [command, ...first]: readonly [string, ...string[]] = BY_ITSELF,
): Promise<Program> {
  const child = spawn(command, [...first, ...args], {
    cwd: PROJECT,
    env: { ...inheritedEnvironment(), DATA_DIR: folder, GATEWAY_PORT: '0', ENVOY_ADMIN_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { runFolder } = await newRunFolder('program');
  const exited = exitOf(child);
  const pid = child.pid ?? 0;
  // Should this test process be killed, the end of the run ends the gateway, which ends its own children.
  await recordProcess(runFolder, 'gateway', pid, 'SIGINT');
  void exited.then(() => forgetProcess(runFolder, pid));
  const stdout = textOf(child.stdout);
  const stderr = textOf(child.stderr);
  return {
    pid,
    exited,
    stdout,
    stderr,
    firstLine: () => firstLineOf(child.stdout),
    stop: (signal) => {
      child.kill(signal);
      return exited;
    },
    hangUp: () => {
      for (const stream of [child.stdout, child.stderr]) stream.destroy();
      child.kill('SIGHUP');
      return exited;
    },
  };
}

/** What a program of ours needs of the tests' environment to be run like by a user, and nothing else. */
export function inheritedEnvironment(): Record<string, string> {
  const envoyPath = readRunVariable('TEST_ENVOY_PATH');
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    XDG_CACHE_HOME: join(cacheFolder(), '..'),
    ...(envoyPath === undefined ? {} : { ENVOY_PATH: envoyPath }),
  };
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

function textOf(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

async function firstLineOf(stream: NodeJS.ReadableStream): Promise<string | undefined> {
  const lines = createInterface({ input: stream });
  const ended = once(lines, 'close').then(() => undefined);
  const line = once(lines, 'line', { signal: AbortSignal.timeout(READY_DEADLINE_MS) }).then(([first]) => String(first));
  return Promise.race([line, ended]);
}
