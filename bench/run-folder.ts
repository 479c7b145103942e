/** The folder in which a bench runs what it starts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimFolder, endRecordedOrphans } from '@tollgate/embedded/process-register';
import { RUN_FOLDER_PREFIX, removeDeadRuns } from '@tollgate/testing/dead-runs';

/** Called from the last to the first. */
export type Closers = (() => Promise<void>)[];

/** Folder and processes are gone afterwards, whatever happens: those of `closers`, and those that a crash left behind. */
export async function inRunFolder<Result>(run: (folder: string, closers: Closers) => Promise<Result>): Promise<Result> {
  await removeDeadRuns();
  const folder = await mkdtemp(join(tmpdir(), RUN_FOLDER_PREFIX));
  await claimFolder(folder, process.pid);
  const closers: Closers = [];
  try {
    return await run(folder, closers);
  } finally {
    await closeAll(closers);
    await endRecordedOrphans(folder);
    await rm(folder, { recursive: true, force: true });
  }
}

export async function closeAll(closers: Closers): Promise<void> {
  for (const close of closers.reverse().splice(0)) await close();
}
