import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunningPostgres, startPostgres } from '@tollgate/embedded/embedded-postgres';
import { newRunFolder } from '@tollgate/testing/run-environment';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';

let folder: string;
let recordIn: string;
let server: RunningPostgres | undefined;

beforeEach(async () => {
  ({ folder, runFolder: recordIn } = await newRunFolder('embedded-postgres'));
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<RunningPostgres> {
  server = await startPostgres({ folder: join(folder, 'postgres'), recordIn });
  return server;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('what was committed is there after an ordinary stop and start', async () => {
  const first = await start();
  await query(first.url, "CREATE TABLE kept AS SELECT 'äß€' AS word");
  await first.close();
  expect(await first.exited).toEqual({ code: 0, signal: null });
  const second = await start();
  expect(await query(second.url, 'SELECT word FROM kept')).toEqual([{ word: 'äß€' }]);
});

test('after kill -9 the next start goes on with everything that was committed', async () => {
  const first = await start();
  await query(first.url, 'CREATE TABLE kept AS SELECT 1 AS n');
  first.signal('SIGKILL');
  await first.exited;
  const second = await start();
  expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
});

test('a pid file whose pid now belongs to another program does not stop the start', async () => {
  const first = await start();
  first.signal('SIGKILL');
  await first.exited;
  const pidFile = join(folder, 'postgres', 'data', 'postmaster.pid');
  const [, ...rest] = (await readFile(pidFile, 'utf8')).split('\n');
  await writeFile(pidFile, [String(process.pid), ...rest].join('\n'));
  const second = await start();
  expect(await query(second.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
});

test('an initialisation that was cut off is not taken for a cluster', async () => {
  const first = await start();
  await first.close();
  const root = join(folder, 'postgres');
  await rm(join(root, 'data'), { recursive: true });
  await writeFile(join(root, 'init-cafe'), 'half');
  const second = await start();
  expect(await query(second.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  expect((await readdir(root)).sort()).toEqual(['data', 'password', 'postgres.log']);
});

test('only who knows the password gets in, and only its owner can read it', async () => {
  const { url, port } = await start();
  const file = join(folder, 'postgres', 'password');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const password = await readFile(file, 'utf8');
  expect(url).toContain(password);
  await expect(query(`postgres://postgres:guess@127.0.0.1:${port}/postgres`, 'SELECT 1')).rejects.toThrow(
    /password authentication failed/,
  );
});

test('the text is UTF-8, the clock is UTC and every commit reaches the disk', async () => {
  const { url } = await start();
  const sql =
    "SELECT current_setting('server_encoding') AS encoding, current_setting('timezone') AS zone, current_setting('fsync') AS fsync";
  expect(await query(url, sql)).toEqual([{ encoding: 'UTF8', zone: 'UTC', fsync: 'on' }]);
});
