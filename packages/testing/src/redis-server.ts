import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram, versionText } from '@tollgate/embedded/find-program';

const COMMAND_DEADLINE_MS = 5 * 60_000;
const NEXT_STEP =
  'Install redis-server (Debian: apt-get install redis-server, macOS: brew install redis) or set TEST_SERVICES=external.';

export type FoundRedis = { path: string; version: string; source: 'found' | 'cached' | 'installed' };
type RedisSearch = { cacheFolder: string; log: (line: string) => void };

/** The redis-server of this machine; where there is none, installs one with apt (into our cache only) or Homebrew. */
export async function findRedisServer({ cacheFolder, log }: RedisSearch): Promise<FoundRedis> {
  const onPath = await findProgram('redis-server');
  if (onPath !== undefined) return described(onPath, 'found');
  const folder = join(cacheFolder, 'redis');
  const cached = join(folder, 'redis-server');
  if ((await versionText(cached)) !== undefined) return described(cached, 'cached');
  if ((await findProgram('apt-get')) !== undefined) {
    log('redis-server is not installed: downloading it with apt-get, into the cache only');
    await unpackWithApt(folder);
    return described(cached, 'installed');
  }
  const brew = await findProgram('brew');
  if (brew === undefined) throw new Error(`The tests need redis-server. ${NEXT_STEP}`);
  log('redis-server is not installed: installing it with Homebrew');
  await run(brew, ['install', 'redis']);
  return described((await findProgram('redis-server')) ?? 'redis-server', 'installed');
}

async function described(path: string, source: FoundRedis['source']): Promise<FoundRedis> {
  const version = /v=(\S+)/.exec((await versionText(path)) ?? '')?.[1];
  if (version === undefined) throw new Error(`${path} does not run on this machine. ${NEXT_STEP}`);
  return { path, version, source };
}

/**
 * Downloads and unpacks the package and what it lacks on this system. Nothing is installed: no administrator is needed,
 * no service starts, and apt's own lists stay as they are, since it works on lists of ours.
 */
async function unpackWithApt(folder: string): Promise<void> {
  const aside = `${folder}.${randomUUID()}`;
  const ours = join(aside, 'apt');
  const options = ['-o', `Dir::State=${ours}`, '-o', 'Dir::State::status=/var/lib/dpkg/status', '-o', `Dir::Cache=${ours}`];
  const apt = (args: readonly string[]) => run('apt-get', ['-qq', ...options, '-o', 'Debug::NoLocking=1', ...args], ours);
  try {
    await mkdir(join(ours, 'lists', 'partial'), { recursive: true });
    await mkdir(join(ours, 'archives', 'partial'), { recursive: true });
    await apt(['update']);
    const plan = await apt(['--simulate', '--no-install-recommends', 'install', 'redis-server']);
    const packages = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '');
    await apt(['download', ...packages]);
    for (const file of await readdir(ours)) {
      if (file.endsWith('.deb')) await run('dpkg-deb', ['--extract', join(ours, file), join(aside, 'root')]);
    }
    await writeLauncher(aside);
    await rm(ours, { recursive: true, force: true });
    if ((await versionText(join(folder, 'redis-server'))) === undefined) await rm(folder, { recursive: true, force: true });
    await rename(aside, folder);
  } catch (error) {
    // Another run may have been quicker: then its folder is as good.
    if ((await versionText(join(folder, 'redis-server'))) === undefined) throw new Error(`${String(error)}\n${NEXT_STEP}`);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** The unpacked program finds its libraries beside itself, wherever the folder is. */
async function writeLauncher(folder: string): Promise<void> {
  const script = [
    '#!/bin/sh',
    'root="$(dirname "$0")/root"',
    'for libraries in "$root"/usr/lib/*-linux-*; do LD_LIBRARY_PATH="$libraries:$LD_LIBRARY_PATH"; done',
    'export LD_LIBRARY_PATH',
    'exec "$root/usr/bin/redis-server" "$@"',
  ];
  const launcher = join(folder, 'redis-server');
  await writeFile(launcher, `${script.join('\n')}\n`);
  await chmod(launcher, 0o755);
}

async function run(command: string, args: readonly string[], cwd?: string): Promise<string> {
  const output = await promisify(execFile)(command, args, {
    timeout: COMMAND_DEADLINE_MS,
    ...(cwd === undefined ? {} : { cwd }),
  });
  return output.stdout;
}
