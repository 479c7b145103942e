import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sendSignal, startTimeOf } from './process-identity.js';

const ASK_DEADLINE_MS = 5_000;
const KILL_DEADLINE_MS = 5_000;
const LOOK_AGAIN_MS = 20;

type ProcessRecord = { name: string; pid: number; startTime: string; stopSignal: NodeJS.Signals };

/**
 * Remembers a child in `<folder>/processes/<pid>.json`, so that it can be ended after a kill -9 of ourselves.
 * `stopSignal` is what the program takes as a wish to stop soon.
 */
export async function recordProcess(
  folder: string,
  name: string,
  pid: number,
  stopSignal: NodeJS.Signals = 'SIGTERM',
): Promise<void> {
  const startTime = await startTimeOf(pid);
  if (startTime === undefined) return;
  await writeWhole(recordFile(folder, pid), { name, pid, startTime, stopSignal });
}

/** Forgets a child that has ended. */
export async function forgetProcess(folder: string, pid: number): Promise<void> {
  await rm(recordFile(folder, pid), { force: true });
}

/**
 * Ends the recorded processes that still run, and nothing else: where the pid was given to another program since,
 * the start time differs and only the record goes. Returns the names of those that it ended.
 */
export async function endRecordedOrphans(folder: string): Promise<string[]> {
  const files = await readdir(join(folder, 'processes')).catch(() => []);
  const ended = await Promise.all(
    files.filter((file) => file.endsWith('.json')).map((file) => endRecorded(join(folder, 'processes', file))),
  );
  return ended.filter((name) => name !== undefined);
}

/**
 * Makes `pid` the owner of the folder until `release()`. Throws when its owner is another process that still runs;
 * the claim of a process that has ended is taken over.
 */
export async function claimFolder(folder: string, pid: number): Promise<{ release(): Promise<void> }> {
  await mkdir(folder, { recursive: true });
  const claim = join(folder, 'owner.json');
  const mine = `${claim}.${randomUUID()}`;
  await writeFile(mine, JSON.stringify({ pid, startTime: await startTimeOf(pid) }), { mode: 0o600 });
  try {
    while (!(await linkedTo(mine, claim))) await removeDeadClaim(folder, claim);
  } finally {
    await rm(mine, { force: true });
  }
  return { release: () => rm(claim, { force: true }) };
}

/** A link, unlike a rename, fails when somebody else was quicker, and the file is never seen half written. */
async function linkedTo(mine: string, claim: string): Promise<boolean> {
  try {
    await link(mine, claim);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function removeDeadClaim(folder: string, claim: string): Promise<void> {
  const owner = await readRecord(claim);
  if (owner !== undefined && (await startTimeOf(owner.pid)) === owner.startTime) {
    throw new Error(`${folder} is in use by process ${owner.pid}. Stop it first, or choose another folder with DATA_DIR.`);
  }
  // Taken away by rename: of two who saw the dead claim, one gets it, and the other looks again.
  const aside = `${claim}.${randomUUID()}`;
  await rename(claim, aside).catch(() => undefined);
  const taken = await readRecord(aside);
  if (taken !== undefined && taken.pid !== owner?.pid) await linkedTo(aside, claim);
  await rm(aside, { force: true });
}

async function endRecorded(file: string): Promise<string | undefined> {
  const record = await readRecord(file);
  const isOurs = record !== undefined && (await startTimeOf(record.pid)) === record.startTime;
  if (isOurs) await endProcess(record);
  await rm(file, { force: true });
  return isOurs ? record.name : undefined;
}

async function endProcess(record: ProcessRecord): Promise<void> {
  sendSignal(record.pid, record.stopSignal);
  if (await isGoneWithin(record, ASK_DEADLINE_MS)) return;
  sendSignal(record.pid, 'SIGKILL');
  if (await isGoneWithin(record, KILL_DEADLINE_MS)) return;
  throw new Error(`${record.name} (process ${record.pid}) of an earlier run does not end. End it and start again.`);
}

async function isGoneWithin({ pid, startTime }: ProcessRecord, waitMs: number): Promise<boolean> {
  const endMs = Date.now() + waitMs;
  while ((await startTimeOf(pid)) === startTime) {
    if (Date.now() > endMs) return false;
    await delay(LOOK_AGAIN_MS);
  }
  return true;
}

function recordFile(folder: string, pid: number): string {
  return join(folder, 'processes', `${pid}.json`);
}

async function writeWhole(file: string, record: ProcessRecord): Promise<void> {
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** Undefined for a file that is absent or was cut off by a crash. */
async function readRecord(file: string): Promise<ProcessRecord | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  try {
    const { name, pid, startTime, stopSignal } = JSON.parse(text);
    return Number.isInteger(pid) && pid > 1 ? { name, pid, startTime, stopSignal } : undefined;
  } catch {
    return undefined;
  }
}
