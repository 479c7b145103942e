import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram, versionText } from '@tollgate/embedded/find-program';
import { unpackWithApt } from './apt-package.js';

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
    await unpackWithApt({ program: 'redis-server', packageName: 'redis-server', withDependencies: true }, folder).catch(
      (error) => {
        throw new Error(`${String(error)}\n${NEXT_STEP}`);
      },
    );
    return described(cached, 'installed');
  }
  const brew = await findProgram('brew');
  if (brew === undefined) throw new Error(`The tests need redis-server. ${NEXT_STEP}`);
  log('redis-server is not installed: installing it with Homebrew');
  await promisify(execFile)(brew, ['install', 'redis'], { timeout: COMMAND_DEADLINE_MS });
  return described((await findProgram('redis-server')) ?? 'redis-server', 'installed');
}

async function described(path: string, source: FoundRedis['source']): Promise<FoundRedis> {
  const version = /v=(\S+)/.exec((await versionText(path)) ?? '')?.[1];
  if (version === undefined) throw new Error(`${path} does not run on this machine. ${NEXT_STEP}`);
  return { path, version, source };
}
