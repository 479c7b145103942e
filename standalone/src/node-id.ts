import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** This gateway's name in the id of every usage event, so it must never become another's: made once and kept. */
export async function nodeIdOf(dataFolder: string): Promise<string> {
  const file = join(dataFolder, 'node-id');
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (kept !== '') return kept;
  const made = `standalone-${randomUUID()}`;
  await writeFile(file, `${made}\n`);
  return made;
}
