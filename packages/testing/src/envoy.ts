import { findEnvoy } from '@tollgate/embedded/envoy-binary';
import { type RunningEnvoy, startEnvoy } from '@tollgate/embedded/envoy-process';
import { cacheFolder, newRunFolder, readRunVariable } from './run-environment.js';

let search: Promise<string> | undefined;

/** The Envoy of this machine; downloads it into the cache the first time a test asks for it. */
export function envoyPath(): Promise<string> {
  const options = { envoyPath: readRunVariable('TEST_ENVOY_PATH'), cacheFolder: cacheFolder(), log: console.info };
  search ??= findEnvoy(options).then(({ path }) => path);
  return search;
}

/**
 * Runs Envoy on a configuration whose admin listener is on 127.0.0.1, at port 0 or another, until `close()` ends it at once.
 * `close()` does not wait for Envoy's log buffers; use `drainAndStop()` where they matter.
 */
export async function runEnvoy(configYaml: string): Promise<RunningEnvoy & { close(): Promise<void> }> {
  const { folder, runFolder } = await newRunFolder('envoy');
  const envoy = await startEnvoy({ binary: await envoyPath(), configYaml, folder, recordIn: runFolder, concurrency: 1 });
  return { ...envoy, close: () => envoy.kill() };
}
