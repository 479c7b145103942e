/**
 * One writer a log: a lock file with the writer's pid and start time, so that a lock left by a killed process, whose pid
 * may belong to another one by now, is told from a live one. It holds among processes that see each other's pids: do not
 * share the folder between containers or machines that each write.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { kill, pid } from 'node:process';
import { createWhole, hasCode, readIfThere } from './log-folder.js';

export class EventLogInUse extends Error {}

export interface WriterLock {
  release(): Promise<void>;
}

/** Takes the lock, also over from a process that is gone. Throws {@link EventLogInUse} where a live writer has it. */
export async function takeWriterLock(folder: string): Promise<WriterLock> {
  const path = join(folder, 'writer.lock');
  const mine = `${pid} ${await startTimeOf(pid)}\n`;
  while (!(await createWhole(path, mine))) {
    const theirs = await readIfThere(path);
    if (theirs === undefined) continue;
    if (await isAlive(theirs))
      throw new EventLogInUse(`process ${theirs.split(' ')[0]} already writes the event log in ${folder}`);
    await removeStale(path, theirs);
  }
  return { release: () => unlink(path) };
}

async function isAlive(owner: string): Promise<boolean> {
  const [ownerPid = '', startTime = ''] = owner.trim().split(' ');
  if (!/^\d+$/.test(ownerPid)) return false;
  try {
    kill(Number(ownerPid), 0);
  } catch (error) {
    if (!hasCode(error, 'EPERM')) return false;
  }
  return startTime === (await startTimeOf(Number(ownerPid)));
}

/** Two processes may find the same stale lock: whoever renames a lock that is no longer the stale one puts it back. */
async function removeStale(path: string, stale: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) !== stale) await createWhole(path, await readFile(aside, 'utf8'));
  await unlink(aside);
}

/** Boot and clock ticks since then at which the process started; `-` on systems without /proc, where the pid must do. */
async function startTimeOf(ofPid: number): Promise<string> {
  const stat = await readIfThere(`/proc/${ofPid}/stat`).catch(() => undefined);
  if (stat === undefined) return '-';
  const boot = await readIfThere('/proc/sys/kernel/random/boot_id').catch(() => undefined);
  // The second field is the command in parentheses and may hold anything; the start time is the 20th after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return `${boot?.trim() ?? ''}:${fields[19] ?? ''}`;
}
