import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram, versionText } from '@tollgate/embedded/find-program';
import { unpackWithApt } from './apt-package.js';
import { cacheFolder } from './run-environment.js';

const COMMAND_DEADLINE_MS = 5 * 60_000;
const NEXT_STEP = 'Install promtool (Debian: apt-get install prometheus, macOS: brew install prometheus).';

/** What promtool said, and whether it found nothing wrong. */
export interface Verdict {
  isGood: boolean;
  text: string;
}

let search: Promise<string> | undefined;

/** Prometheus's own tool: that of this machine, or one that is fetched into the cache the first time a test asks for it. */
export async function promtool(args: readonly string[], cwd: string): Promise<Verdict> {
  search ??= findPromtool(console.info);
  try {
    const { stdout, stderr } = await promisify(execFile)(await search, args, { cwd, timeout: COMMAND_DEADLINE_MS });
    return { isGood: true, text: `${stdout}${stderr}` };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { isGood: false, text: `${stdout}${stderr}` };
  }
}

async function findPromtool(log: (line: string) => void): Promise<string> {
  const onPath = await findProgram('promtool');
  if (onPath !== undefined) return onPath;
  const folder = join(cacheFolder(), 'prometheus');
  const cached = join(folder, 'promtool');
  if ((await versionText(cached)) !== undefined) return cached;
  if ((await findProgram('apt-get')) !== undefined) {
    log('promtool is not installed: downloading it with apt-get, into the cache only');
    await unpackWithApt({ program: 'promtool', packageName: 'prometheus', withDependencies: false }, folder).catch((error) => {
      throw new Error(`${String(error)}\n${NEXT_STEP}`);
    });
    return cached;
  }
  const brew = await findProgram('brew');
  if (brew === undefined) throw new Error(`The tests of alerts need promtool. ${NEXT_STEP}`);
  log('promtool is not installed: installing prometheus with Homebrew');
  await promisify(execFile)(brew, ['install', 'prometheus'], { timeout: COMMAND_DEADLINE_MS });
  return (await findProgram('promtool')) ?? 'promtool';
}
