import { readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimFolder, endRecordedOrphans } from '@tollgate/embedded/process-register';

export const RUN_FOLDER_PREFIX = 'tollgate-test-';

/** Ends and removes what runs left behind that were interrupted or killed; runs that are under way stay untouched. */
export async function removeDeadRuns(): Promise<void> {
  for (const entry of await readdir(tmpdir())) {
    if (entry.startsWith(RUN_FOLDER_PREFIX)) await removeIfDead(join(tmpdir(), entry));
  }
}

async function removeIfDead(folder: string): Promise<void> {
  try {
    // A folder without an owner was made this instant; its run is about to claim it.
    await stat(join(folder, 'owner.json'));
    await claimFolder(folder, process.pid);
  } catch {
    return;
  }
  await endRecordedOrphans(folder);
  await rm(folder, { recursive: true, force: true });
}
