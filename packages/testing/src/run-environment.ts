import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What the global setup tells the test processes, by way of the environment. */
export type RunVariable =
  | 'TEST_SERVICES'
  | 'TEST_RUN_FOLDER'
  | 'TEST_DATABASE_URL'
  | 'TEST_TIMESCALEDB_URL'
  | 'TEST_REDIS_URL'
  | 'TEST_REDIS_SERVER'
  | 'TEST_ENVOY_PATH'
  | 'TEST_KAFKA_BROKERS';

export function readRunVariable(name: RunVariable): string | undefined {
  return process.env[name] || undefined;
}

export function needRunVariable(name: RunVariable): string {
  const value = readRunVariable(name);
  if (value === undefined) throw new Error(`${name} is not set: start the tests with "npm test" or "npx vitest run <path>".`);
  return value;
}

/** A new folder of this run; its processes are recorded in the run's folder, and end with the run at the latest. */
export async function newRunFolder(name: string): Promise<{ folder: string; runFolder: string }> {
  const runFolder = needRunVariable('TEST_RUN_FOLDER');
  const folder = join(runFolder, `${name}-${randomUUID()}`);
  await mkdir(folder, { recursive: true });
  return { folder, runFolder };
}

/** Where downloads are kept from run to run; the same place that the gateway itself uses. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'tollgate');
}
