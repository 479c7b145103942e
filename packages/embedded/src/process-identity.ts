import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { platform } from 'node:os';
import { kill } from 'node:process';
import { promisify } from 'node:util';

const PS_DEADLINE_MS = 5_000;
/** Counted from the field after the program's name, which may itself hold spaces and brackets. */
const START_TIME_FIELD = 19;

/**
 * When the process with this pid was started, in whatever unit the system keeps; undefined when there is none.
 * A pid comes back with another program one day, so only pid and start time together name a process.
 */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  return platform() === 'linux' ? startTimeFromProc(pid) : startTimeFromPs(pid);
}

/** Sends a signal to a process that need not be our child; false when it is gone. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

async function startTimeFromProc(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie has ended, only nobody has asked for its exit code yet.
  return fields?.[0] === 'Z' ? undefined : fields?.[START_TIME_FIELD];
}

async function startTimeFromPs(pid: number): Promise<string | undefined> {
  const options = { timeout: PS_DEADLINE_MS, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } };
  const output = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)], options).catch(() => undefined);
  return output?.stdout.trim() || undefined;
}
