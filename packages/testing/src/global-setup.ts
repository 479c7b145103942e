import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimFolder, endRecordedOrphans } from '@tollgate/embedded/process-register';
import { RUN_FOLDER_PREFIX, removeDeadRuns } from './dead-runs.js';
import { startServices } from './services.js';

let close: (() => Promise<void>) | undefined;

/** Once a run, however many projects ask for it, before the first test: starts or finds what the tests need, names it in the environment, and says what it is. */
export async function setup(): Promise<void> {
  if (process.env['TEST_RUN_FOLDER'] !== undefined) return;
  await removeDeadRuns();
  const folder = await mkdtemp(join(tmpdir(), RUN_FOLDER_PREFIX));
  await claimFolder(folder, process.pid);
  const services = await startServices(process.env['TEST_SERVICES'] || 'local', folder);
  Object.assign(process.env, { TEST_RUN_FOLDER: folder, ...services.variables });
  console.info(services.description);
  close = async () => {
    await services.close();
    await endRecordedOrphans(folder);
    await rm(folder, { recursive: true, force: true });
  };
}

/** After the last test: also ends what a test process left behind when it was killed. */
export async function teardown(): Promise<void> {
  await close?.();
}
