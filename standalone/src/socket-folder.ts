import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A unix socket's path has at most 107 bytes on Linux and 103 on macOS; this leaves room for the socket's own name. */
const MAX_FOLDER_BYTES = 80;

/**
 * A folder of this user alone (mode 0700) for the sockets between Envoy and the services: in the data folder, or, where
 * that path is too long for a socket, a new one among the system's temporary files.
 */
export async function makeSocketFolder(dataFolder: string): Promise<{ path: string; remove(): Promise<void> }> {
  const inData = join(dataFolder, 'run');
  const path = Buffer.byteLength(inData) <= MAX_FOLDER_BYTES ? inData : await mkdtemp(join(tmpdir(), 'tollgate-'));
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
