import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BackgroundProcess, startBackgroundProcess, stopInSteps } from '@tollgate/embedded/background-process';
import { until } from '@tollgate/testing/until';
import type { Closers } from './run-folder.js';

const STOP_STEPS = [{ signal: 'SIGTERM', waitMs: 15_000 }] as const;
const READY_DEADLINE_MS = 30_000;

/** A program in a process of its own, once its log matches `ready`; ended with the others. */
export async function startProgram(
  folder: string,
  closers: Closers,
  name: string,
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  ready: RegExp,
): Promise<{ pid: number; readyLine: string }> {
  const logFile = join(folder, `${name}.log`);
  const record = { folder, name };
  const program = await startBackgroundProcess({ command, args, env, logFile, hasOwnGroup: true, record });
  closers.push(() => stopInSteps(program, STOP_STEPS));
  const readyLine = await until(() => readyLineOf(program, logFile, ready), READY_DEADLINE_MS, `the start of ${name}`);
  if (readyLine === 'ended') throw new Error(`${name} did not start:\n${await program.lastLines()}`);
  return { pid: program.pid, readyLine };
}

async function readyLineOf(program: BackgroundProcess, logFile: string, ready: RegExp): Promise<string | undefined> {
  const line = ready.exec(await readFile(logFile, 'utf8'))?.[0];
  return line ?? (program.isRunning() ? undefined : 'ended');
}
