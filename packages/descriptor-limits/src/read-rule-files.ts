import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Either the texts, or why they cannot be read: sentences that begin with the path. */
export type RuleFiles =
  | { kind: 'files'; files: readonly { name: string; text: string }[] }
  | { kind: 'unreadable'; problems: readonly string[] };

/** Reading the rules anew holds everything else up for as long as it takes, so they are bounded. */
const MAX_BYTES = 1024 * 1024;
const MAX_FILES = 1_000;

/** Reads a file, or all `*.yaml` and `*.yml` of a folder in the order of their names, but for those that begin with a dot. Never rejects. */
export async function readRuleFiles(path: string): Promise<RuleFiles> {
  try {
    const names = (await stat(path)).isDirectory() ? await namesIn(path) : [path];
    if (names.length === 0) return unreadable(path, 'holds no file *.yaml or *.yml');
    if (names.length > MAX_FILES) return unreadable(path, `holds more than ${MAX_FILES} files`);
    return await readAll(path, names);
  } catch (error) {
    return unreadable(path, reasonOf(error));
  }
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => /^[^.].*\.ya?ml$/.test(name))
    .toSorted()
    .map((name) => join(folder, name));
}

async function readAll(path: string, names: readonly string[]): Promise<RuleFiles> {
  const files: { name: string; text: string }[] = [];
  const problems: string[] = [];
  let bytes = 0;
  for (const name of names) {
    try {
      bytes += (await stat(name)).size;
      if (bytes > MAX_BYTES) return unreadable(path, `is more than ${MAX_BYTES / 1024 / 1024} MiB`);
      files.push({ name, text: new TextDecoder('utf-8', { fatal: true }).decode(await readFile(name)) });
    } catch (error) {
      problems.push(`${name}: ${reasonOf(error)}.`);
    }
  }
  return problems.length > 0 ? { kind: 'unreadable', problems } : { kind: 'files', files };
}

/** The same for the same names and texts. */
export function ruleFilesFingerprint(read: RuleFiles): string {
  return createHash('sha256').update(JSON.stringify(read)).digest('base64url');
}

function unreadable(path: string, why: string): RuleFiles {
  return { kind: 'unreadable', problems: [`${path}: ${why}.`] };
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'is not there';
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8';
  return `cannot be read (${code ?? 'unknown error'})`;
}
