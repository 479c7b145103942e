import { readFile } from 'node:fs/promises';
import { CliError, EXIT } from './cli-error.js';
import { quoted } from './printable.js';

/** The text of a file that the command line names. Throws a CliError where it cannot be read. */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new CliError('not_found', EXIT.notFound, `There is no file ${quoted(path)}.`);
    throw new CliError('unreadable', EXIT.failed, `${quoted(path)} cannot be read (${code ?? 'unknown error'}).`);
  }
}
