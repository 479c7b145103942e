/**
 * One writer a log: a lock file with the writer's pid and start time, so that a lock left by a killed process, whose pid
 * may belong to another one by now, is told from a live one. It holds among processes that see each other's pids: do not
 * share the folder between containers or machines that each write.
 */
import { randomUUID } from 'node:crypto';
import { readdir, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kill, pid } from 'node:process';
import { createWhole, hasCode, readIfThere } from './log-folder.js';

export class EventLogInUse extends Error {}

export interface WriterLock {
  release(): Promise<void>;
}

const LOCK_NAME = /^writer-(\d{10})\.lock$/;
const RELEASED = 'released\n';

/**
 * Takes the lock, also over from a process that is gone. Throws {@link EventLogInUse} where a live writer has it.
 *
 * Whoever made the file with the highest number has the lock. Numbers only grow and nobody removes a higher one than his own,
 * so that however many find the same stale lock at once, and however late, one of them gets the next number.
 */
export async function takeWriterLock(folder: string): Promise<WriterLock> {
  const mine = `${pid} ${await startTimeOf(pid)}\n`;
  for (;;) {
    const last = (await lockNumbers(folder)).at(-1) ?? 0;
    const theirs = last === 0 ? RELEASED : await readIfThere(lockPath(folder, last));
    if (theirs === undefined) continue;
    if (theirs !== RELEASED && (await isAlive(theirs)))
      throw new EventLogInUse(`process ${theirs.split(' ')[0]} already writes the event log in ${folder}`);
    const path = lockPath(folder, last + 1);
    if (!(await createWhole(path, mine))) continue;
    const numbers = await lockNumbers(folder);
    if (numbers.at(-1) === last + 1) {
      for (const number of numbers.slice(0, -1)) await removeIfThere(lockPath(folder, number));
      return { release: () => replaceWhole(path, RELEASED) };
    }
    await removeIfThere(path); // made so late that its number was given out and cleaned up meanwhile
  }
}

function lockPath(folder: string, number: number): string {
  return join(folder, `writer-${String(number).padStart(10, '0')}.lock`);
}

/** Lowest first. */
async function lockNumbers(folder: string): Promise<number[]> {
  return (await readdir(folder))
    .flatMap((name) => LOCK_NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

async function replaceWhole(path: string, content: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, content);
  await rename(draft, path);
}

async function removeIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
  });
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

/** Boot and clock ticks since then at which the process started; `-` on systems without /proc, where the pid must do. */
async function startTimeOf(ofPid: number): Promise<string> {
  const stat = await readIfThere(`/proc/${ofPid}/stat`).catch(() => undefined);
  if (stat === undefined) return '-';
  const boot = await readIfThere('/proc/sys/kernel/random/boot_id').catch(() => undefined);
  // The second field is the command in parentheses and may hold anything; the start time is the 20th after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return `${boot?.trim() ?? ''}:${fields[19] ?? ''}`;
}
