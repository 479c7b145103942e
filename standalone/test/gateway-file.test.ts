import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readGatewayFile } from '@tollgate/embedded/gateway-file';
import { removeGatewayFile, writeGatewayFile } from '@tollgate/standalone/gateway-file';
import { beforeEach, expect, test } from 'vitest';

const CONTENT = {
  pid: 7,
  gatewayUrl: 'http://127.0.0.1:1',
  adminUrl: 'http://127.0.0.1:2',
  databaseUrl: 'postgres://postgres:secret@127.0.0.1:3/postgres',
  services: { authz: 'http://127.0.0.1:4' },
};

let dataFolder: string;

beforeEach(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'standalone-'));
  return () => rm(dataFolder, { recursive: true, force: true });
});

test('a command finds what the gateway wrote, and nobody else may read it', async () => {
  await writeGatewayFile(dataFolder, CONTENT);
  expect(await readGatewayFile(dataFolder)).toEqual(CONTENT);
  expect((await stat(join(dataFolder, 'gateway.json'))).mode & 0o777).toBe(0o600);
});

test('the file of a killed gateway is replaced, whatever its mode was', async () => {
  await writeFile(join(dataFolder, 'gateway.json'), '{}', { mode: 0o644 });
  await writeGatewayFile(dataFolder, CONTENT);
  expect(await readGatewayFile(dataFolder)).toEqual(CONTENT);
  expect((await stat(join(dataFolder, 'gateway.json'))).mode & 0o777).toBe(0o600);
});

test('after the gateway there is no file, and removing it twice is no error', async () => {
  await writeGatewayFile(dataFolder, CONTENT);
  await removeGatewayFile(dataFolder);
  await removeGatewayFile(dataFolder);
  expect(await readGatewayFile(dataFolder)).toBeUndefined();
});
