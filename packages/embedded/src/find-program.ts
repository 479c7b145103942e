import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const LOOK_DEADLINE_MS = 10_000;
const run = promisify(execFile);

/** The absolute path of a program on the PATH; undefined when there is none. */
export async function findProgram(name: string): Promise<string | undefined> {
  const output = await run('/bin/sh', ['-c', 'command -v "$1"', 'sh', name], { timeout: LOOK_DEADLINE_MS }).catch(
    () => undefined,
  );
  return output?.stdout.trim() || undefined;
}

/** What `program --version` prints; undefined when the program cannot be run on this machine. */
export async function versionText(program: string, args: readonly string[] = ['--version']): Promise<string | undefined> {
  const output = await run(program, args, { timeout: LOOK_DEADLINE_MS }).catch(() => undefined);
  return output?.stdout.trim();
}
