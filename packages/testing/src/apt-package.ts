import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { versionText } from '@tollgate/embedded/find-program';

const COMMAND_DEADLINE_MS = 5 * 60_000;

export interface AptProgram {
  /** The program, which the package has in /usr/bin. */
  program: string;
  packageName: string;
  /** False: the program needs nothing but libc, and the rest of what its package asks for is left out. */
  withDependencies: boolean;
}

/**
 * Downloads and unpacks the package and what it lacks on this system, and puts a launcher of the program's name into the
 * folder. Nothing is installed: no administrator is needed, no service starts, and apt's own lists stay as they are, since
 * it works on lists of ours.
 */
export async function unpackWithApt({ program, packageName, withDependencies }: AptProgram, folder: string): Promise<void> {
  const aside = `${folder}.${randomUUID()}`;
  const ours = join(aside, 'apt');
  const options = ['-o', `Dir::State=${ours}`, '-o', 'Dir::State::status=/var/lib/dpkg/status', '-o', `Dir::Cache=${ours}`];
  const apt = (args: readonly string[]) => run('apt-get', ['-qq', ...options, '-o', 'Debug::NoLocking=1', ...args], ours);
  const isThere = async () => (await versionText(join(folder, program))) !== undefined;
  try {
    await mkdir(join(ours, 'lists', 'partial'), { recursive: true });
    await mkdir(join(ours, 'archives', 'partial'), { recursive: true });
    await apt(['update']);
    const plan = withDependencies ? await apt(['--simulate', '--no-install-recommends', 'install', packageName]) : '';
    const needed = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '');
    await apt(['download', ...(withDependencies ? needed : [packageName])]);
    for (const file of await readdir(ours)) {
      if (file.endsWith('.deb')) await run('dpkg-deb', ['--extract', join(ours, file), join(aside, 'root')]);
    }
    await writeLauncher(aside, program);
    await rm(ours, { recursive: true, force: true });
    if (!(await isThere())) await rm(folder, { recursive: true, force: true });
    await rename(aside, folder);
  } catch (error) {
    // Another run may have been quicker: then its folder is as good.
    if (!(await isThere())) throw error;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** The unpacked program finds its libraries beside itself, wherever the folder is. */
async function writeLauncher(folder: string, program: string): Promise<void> {
  const script = [
    '#!/bin/sh',
    'root="$(dirname "$0")/root"',
    'for libraries in "$root"/usr/lib/*-linux-*; do LD_LIBRARY_PATH="$libraries:$LD_LIBRARY_PATH"; done',
    'export LD_LIBRARY_PATH',
    `exec "$root/usr/bin/${program}" "$@"`,
  ];
  const launcher = join(folder, program);
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
