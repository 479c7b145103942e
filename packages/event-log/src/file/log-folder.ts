/**
 * What lies in the folder of a file event log:
 *
 *   log-id                        a UUID, made once with the log
 *   00000000000000000000.log      segments, named by the offset of their first record
 *   consumed-<group>              how far a group of readers has stored (advisory; the database's offset is the truth)
 *   writer-0000000001.lock        who writes; the highest number counts
 *
 * An offset is a position in the log's bytes, headers of segments not counted: offset − base + header = place in the file.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isUuid } from '@tollgate/domain/uuid';

const SEGMENT_NAME = /^(\d{20})\.log$/;
const CONSUMED_NAME = /^consumed-[a-z0-9-]+$/;

export function segmentPath(folder: string, base: bigint): string {
  return join(folder, `${base.toString().padStart(20, '0')}.log`);
}

/** The first offsets of all segments, lowest first. */
export async function listSegments(folder: string): Promise<bigint[]> {
  const bases = (await readdir(folder)).flatMap((name) => SEGMENT_NAME.exec(name)?.[1] ?? []);
  return bases.sort().map(BigInt);
}

/** Makes the folder and the log's id where they are missing (a reader may come before the writer), and returns the id. */
export async function openLogFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'log-id');
  const known = await readIfThere(path);
  if (known === undefined) await createWhole(path, `${randomUUID()}\n`);
  const id = (known ?? (await readFile(path, 'utf8'))).trim();
  if (!isUuid(id)) throw new Error(`${path} does not hold a UUID`);
  return id;
}

/** Creates a file with all its content at once, so that nobody sees half of it. Returns false where it exists already. */
export async function createWhole(path: string, content: string): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`;
  const file = await open(draft, 'wx');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    await unlink(draft);
  }
}

/** Makes the names in the folder survive a power loss. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function writeConsumed(folder: string, group: string, logId: string, offset: bigint): Promise<void> {
  const path = join(folder, `consumed-${group}`);
  await writeFile(`${path}.new`, `${logId} ${offset}\n`);
  await rename(`${path}.new`, path);
}

/** Up to where every group has stored, or undefined where no group ever told. */
export async function readConsumed(folder: string, logId: string): Promise<bigint | undefined> {
  let lowest: bigint | undefined;
  for (const name of await readdir(folder)) {
    if (!CONSUMED_NAME.test(name)) continue;
    const [id, offset = ''] = (await readFile(join(folder, name), 'utf8')).trim().split(' ');
    if (id !== logId || !/^\d+$/.test(offset)) continue;
    if (lowest === undefined || BigInt(offset) < lowest) lowest = BigInt(offset);
  }
  return lowest;
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
