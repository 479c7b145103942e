import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type FoundEnvoy, findEnvoy, usableVersion } from '@tollgate/embedded/envoy-binary';
import { findProgram, versionText } from '@tollgate/embedded/find-program';

/**
 * An Envoy that is on this machine already: the given one, one on the PATH, or one that the gateway has downloaded before;
 * undefined where there is none. Nothing is downloaded. Throws where the given one does not run.
 */
export async function installedEnvoy(
  envoyPath: string | undefined,
  cacheFolder: string,
): Promise<Pick<FoundEnvoy, 'path' | 'version'> | undefined> {
  if (envoyPath !== undefined) return findEnvoy({ envoyPath, cacheFolder, log: () => {} });
  for (const path of [await findProgram('envoy'), ...(await downloaded(cacheFolder))]) {
    const version = path === undefined ? undefined : usableVersion((await versionText(path)) ?? '');
    if (path !== undefined && version !== undefined) return { path, version };
  }
  return undefined;
}

async function downloaded(cacheFolder: string): Promise<string[]> {
  const names = await readdir(cacheFolder).catch(() => []);
  const folders = names.filter((name) => /^envoy-\d+\.\d+\.\d+$/.test(name));
  return folders.map((name) => join(cacheFolder, name, 'envoy', '_bin', 'envoy'));
}
