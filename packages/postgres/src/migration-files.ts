import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface MigrationFile {
  /** `0001_organizations`, of the pair `0001_organizations.up.sql` and `.down.sql`. */
  name: string;
  up: string;
  down: string;
  /** SHA-256 of the way up, in hex; line endings do not matter. */
  checksum: string;
}

const NAME = /^(\d{4}_[a-z0-9_]+)\.(up|down)\.sql$/;

/** The migrations of a folder, in the order of their numbers. Throws on a missing half and on a number used twice. */
export async function readMigrationFiles(folder: string): Promise<MigrationFile[]> {
  const files = await readdir(folder);
  const names = [...new Set(files.flatMap((file) => NAME.exec(file)?.[1] ?? []))].sort((a, b) => (a < b ? -1 : 1));
  if (names.length === 0) throw new Error(`no migrations in ${folder}`);
  names.forEach((name, i) => {
    if (names[i - 1]?.slice(0, 4) === name.slice(0, 4)) throw new Error(`two migrations have the number of ${name}`);
  });
  return Promise.all(names.map((name) => readPair(folder, name)));
}

async function readPair(folder: string, name: string): Promise<MigrationFile> {
  const [up, down] = await Promise.all([
    readFile(join(folder, `${name}.up.sql`), 'utf8'),
    readFile(join(folder, `${name}.down.sql`), 'utf8'),
  ]);
  return { name, up, down, checksum: createHash('sha256').update(up.replaceAll('\r\n', '\n')).digest('hex') };
}
