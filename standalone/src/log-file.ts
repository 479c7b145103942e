import { createWriteStream, mkdirSync, renameSync, statSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';

const MAX_BYTES = 10 * 1024 * 1024;

/**
 * The services' JSON log, `tollgate.log` in the data folder: the screen is left to what a person must know. At each start a
 * file of over 10 MiB becomes `tollgate.log.1`, in the place of the one before.
 */
export function openLogFile(dataFolder: string): { path: string; stream: WriteStream } {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  const path = join(dataFolder, 'tollgate.log');
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > MAX_BYTES) renameSync(path, `${path}.1`);
  return { path, stream: createWriteStream(path, { flags: 'a', mode: 0o600 }) };
}
