import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { forgetProcess, recordProcess } from './process-register.js';

const LARGEST_KEPT_LOG_BYTES = 10 * 1024 * 1024;
const REPORTED_LINES = 15;

export type ProcessExit = { code: number | null; signal: NodeJS.Signals | null };

export type BackgroundProcess = {
  pid: number;
  /** Settles when the process ends; never rejects. */
  exited: Promise<ProcessExit>;
  isRunning(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** The end of its log, for error messages. */
  lastLines(): Promise<string>;
};

export type BackgroundOptions = {
  command: string;
  args: readonly string[];
  /** Its stdout and stderr are appended here. */
  logFile: string;
  folder?: string;
  env?: Record<string, string>;
  user?: { uid: number; gid: number } | undefined;
  /** In its own process group, a Ctrl-C at the terminal reaches us alone, and we end it in order. */
  hasOwnGroup: boolean;
  /** Where to keep a record of it while it runs; see process-register. */
  record?: { folder: string; name: string; stopSignal?: NodeJS.Signals } | undefined;
};

/** Starts a program that outlives the call. Throws when the program cannot be started at all. */
export async function startBackgroundProcess(options: BackgroundOptions): Promise<BackgroundProcess> {
  const log = await open(options.logFile, (await isTooLong(options.logFile)) ? 'w' : 'a', 0o600);
  const child = spawn(options.command, options.args, {
    stdio: ['ignore', log.fd, log.fd],
    detached: options.hasOwnGroup,
    ...(options.folder === undefined ? {} : { cwd: options.folder }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.user ?? {}),
  });
  const exited = exitOf(child);
  try {
    await once(child, 'spawn');
  } finally {
    await log.close();
  }
  const pid = child.pid ?? 0;
  if (options.record !== undefined) await keepRecord(pid, exited, options.record);
  return {
    pid,
    exited,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    signal: (signal) => {
      child.kill(signal);
    },
    lastLines: () => lastLines(options.logFile),
  };
}

/** Asks with each signal in turn, waiting as long as stated, and ends with SIGKILL. */
export async function stopInSteps(
  process: BackgroundProcess,
  steps: readonly { signal: NodeJS.Signals; waitMs: number }[],
): Promise<void> {
  for (const { signal, waitMs } of steps) {
    if (!process.isRunning()) return;
    process.signal(signal);
    if (await exitsWithin(process, waitMs)) return;
  }
  process.signal('SIGKILL');
  await process.exited;
}

/** True once the process has ended, false when it still runs after `waitMs`. */
export async function exitsWithin(process: Pick<BackgroundProcess, 'exited'>, waitMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(waitMs, false, { signal: timer.signal }).catch(() => false);
  const hasExited = await Promise.race([process.exited.then(() => true), late]);
  timer.abort();
  return hasExited;
}

async function keepRecord(
  pid: number,
  exited: Promise<ProcessExit>,
  { folder, name, stopSignal }: NonNullable<BackgroundOptions['record']>,
): Promise<void> {
  await recordProcess(folder, name, pid, stopSignal);
  // The record may outlive its process: what is recorded and gone is passed over.
  void exited.then(() => forgetProcess(folder, pid)).catch(() => undefined);
}

function exitOf(child: ChildProcess): Promise<ProcessExit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
}

async function isTooLong(logFile: string): Promise<boolean> {
  const found = await stat(logFile).catch(() => undefined);
  return found !== undefined && found.size > LARGEST_KEPT_LOG_BYTES;
}

async function lastLines(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-REPORTED_LINES).join('\n');
}
