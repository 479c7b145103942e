import { freshDatabase, startDatabaseServer } from '@tollgate/testing/database';
import pg from 'pg';
import { expect, test } from 'vitest';

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('two fresh databases do not see each other, and are gone after close', async () => {
  const [one, other] = await Promise.all([freshDatabase({ isMigrated: false }), freshDatabase({ isMigrated: false })]);
  await query(one.url, 'CREATE TABLE mine ()');
  expect(await query(other.url, "SELECT to_regclass('mine') AS found")).toEqual([{ found: null }]);
  await Promise.all([one.close(), other.close()]);
  await expect(query(one.url, 'SELECT 1')).rejects.toThrow(/does not exist/);
});

test('a database with the newest schema is ready at once', async () => {
  const { url, close } = await freshDatabase();
  expect(await query(url, "SELECT to_regclass('organizations') IS NOT NULL AS found")).toEqual([{ found: true }]);
  await close();
});

test('a private server keeps address and data through kill -9 and start', async () => {
  const server = await startDatabaseServer();
  await query(server.url, 'CREATE TABLE kept AS SELECT 1 AS n');
  await server.kill();
  await expect(query(server.url, 'SELECT n FROM kept')).rejects.toThrow();
  await server.start();
  expect(await query(server.url, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  await server.close();
});
