import { lstat, mkdir, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { withDeadline } from './deadline.js';

const KNOCK_DEADLINE_MS = 1000;

/**
 * Makes a path free for a listening socket: a missing folder is made for this user alone, and a socket that a dead process
 * left behind is removed. Rejects where a living process answers on it, or where the path is something else.
 */
export async function freeSocketPath(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const found = await lstat(path).catch(undefinedIfMissing);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} exists and is no socket: remove it, or listen elsewhere`);
  if (await isAnswered(path)) throw new Error(`another process listens on ${path}: stop it, or listen elsewhere`);
  await unlink(path).catch(undefinedIfMissing);
}

/** Any outcome but a plain refusal counts as life: a socket is removed only where it is surely dead. */
function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path);
  const outcome = new Promise<boolean>((resolve, reject) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      else reject(error);
    });
  });
  return withDeadline(outcome, KNOCK_DEADLINE_MS, `knocking on ${path}`).finally(() => socket.destroy());
}

function undefinedIfMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
