import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeSocketFolder } from '@tollgate/standalone/socket-folder';
import { beforeEach, expect, test } from 'vitest';

let dataFolder: string;

beforeEach(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'standalone-'));
  return () => rm(dataFolder, { recursive: true, force: true });
});

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

test('sockets lie in the data folder, for this user alone, and go with the gateway', async () => {
  const sockets = await makeSocketFolder(dataFolder);
  expect(sockets.path).toBe(join(dataFolder, 'run'));
  expect(await modeOf(sockets.path)).toBe(0o700);
  await writeFile(join(sockets.path, 'left.sock'), '');
  await sockets.remove();
  await expect(stat(sockets.path)).rejects.toThrow('ENOENT');
});

test('a folder that was left open to others is closed to them', async () => {
  await mkdir(join(dataFolder, 'run'));
  await chmod(join(dataFolder, 'run'), 0o777);
  expect(await modeOf((await makeSocketFolder(dataFolder)).path)).toBe(0o700);
});

test.each(['x'.repeat(120), 'ü'.repeat(50)])('a path that a socket cannot have is left for a short one (%s)', async (name) => {
  const sockets = await makeSocketFolder(join(dataFolder, name));
  expect(Buffer.byteLength(join(sockets.path, 'ratelimit.sock'))).toBeLessThanOrEqual(103);
  expect(await modeOf(sockets.path)).toBe(0o700);
  await sockets.remove();
  await expect(stat(sockets.path)).rejects.toThrow('ENOENT');
});
