import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { CliError, EXIT } from './cli-error.js';
import { quoted } from './printable.js';

/** The text of a file that the command line names. Throws a CliError where it cannot be read. */
export async function readTextFile(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw unreadable(path, error);
  });
}

/** The text of a file, or of stdin for `-`, piece by piece. Throws a CliError where it cannot be read, or is not UTF-8. */
export async function* readPieces(path: string, stdin: NodeJS.ReadableStream): AsyncGenerator<string> {
  const source = path === '-' ? stdin : createReadStream(path);
  // What is no UTF-8 must not become a name with question marks in it.
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const bytes of source) yield decoder.decode(bytes as Buffer, { stream: true });
    yield decoder.decode();
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new CliError('not_found', EXIT.notFound, `There is no file ${quoted(path)}.`);
  const name = path === '-' ? 'What came by stdin' : quoted(path);
  const why = code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : (code ?? 'unknown error');
  return new CliError('unreadable', EXIT.failed, `${name} cannot be read (${why}).`);
}
