import { once } from 'node:events';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { type Database, openConnections, openDatabase } from '@tollgate/postgres/database';
import { DatabaseUnavailable } from '@tollgate/postgres/errors';
import { migrationStatus } from '@tollgate/postgres/migrate';
import { startDatabaseServer } from '@tollgate/testing/database';
import { MIGRATIONS_FOLDER } from '@tollgate/testing/migrations-folder';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { anOrganization, count, openFresh } from './open-fresh.js';

const PASSWORD = 'very-secret-0815';

function open(
  url: string,
  parts: { maxConnections?: number; statementTimeoutMs?: number; onError?: (error: unknown) => void } = {},
): Database {
  const db = openDatabase({
    url,
    maxConnections: 2,
    connectTimeoutMs: 1_000,
    statementTimeoutMs: 10_000,
    applicationName: 'test',
    onError: () => {},
    ...parts,
  });
  onTestFinished(() => db.close());
  return db;
}

/** Accepts connections and never says a word. */
async function silentServer(): Promise<number> {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}

test('the password is in no error, whatever goes wrong', async () => {
  const { url } = await openFresh();
  const wrong = new URL(url);
  wrong.password = PASSWORD;
  const urls = [
    wrong.href,
    `postgres://user:${PASSWORD}@127.0.0.1:1/x`,
    `postgres://user:${PASSWORD}@nowhere.invalid/x`,
    `postgres://user:${PASSWORD}@host:port/x`,
    `postgres://user:${PASSWORD}@[bad/x`,
    `postgres://user:${PASSWORD}%zz@host/x`,
    `mysql://user:${PASSWORD}@host/x`,
    `${PASSWORD}`,
  ];
  for (const bad of urls) {
    const errors = [
      await errorOf(async () => open(bad).query('SELECT 1')),
      await errorOf(() => migrationStatus({ url: bad, folder: MIGRATIONS_FOLDER })),
    ];
    for (const error of errors) {
      expect(error).toBeInstanceOf(Error);
      expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(PASSWORD);
    }
  }
});

test('a database that cannot be reached, or does not answer, is unavailable', async () => {
  const silent = await silentServer();
  for (const url of ['postgres://u@127.0.0.1:1/x', `postgres://u@127.0.0.1:${silent}/x`, 'postgres://u@nowhere.invalid/x'])
    await expect(open(url).query('SELECT 1')).rejects.toBeInstanceOf(DatabaseUnavailable);
});

test('a statement that takes too long is cancelled, and the pool goes on', async () => {
  const { url } = await openFresh();
  const db = open(url, { maxConnections: 1, statementTimeoutMs: 100 });
  await expect(db.query('SELECT pg_sleep(60)')).rejects.toBeInstanceOf(DatabaseUnavailable);
  expect(await db.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('no free connection in time is unavailable, too many calls in line are refused at once', async () => {
  const { url } = await openFresh();
  const db = open(url, { maxConnections: 1, statementTimeoutMs: 20_000 });
  let release = (): void => {};
  const held = db.transaction(
    () =>
      new Promise<void>((resolve) => {
        release = resolve;
      }),
  );
  const errors = await Promise.all(Array.from({ length: 101 }, () => errorOf(() => db.query('SELECT 1'))));
  expect(errors.every((error) => error instanceof DatabaseUnavailable)).toBe(true);
  expect(errors.filter((error) => (error as Error).message.includes('too many calls'))).not.toHaveLength(0);
  release();
  await held;
  expect(await db.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a mistake in a statement is not unavailability', async () => {
  const { db } = await openFresh();
  const error = await errorOf(() => db.query('SELECT nonsense'));
  expect(error).not.toBeInstanceOf(DatabaseUnavailable);
  expect(error).toMatchObject({ code: '42703' });
});

test('a read-only server is unavailable', async () => {
  const { db } = await openFresh();
  const write = db.transaction(async (tx) => {
    await tx.query('SET TRANSACTION READ ONLY');
    await tx.query("DELETE FROM plans WHERE name = 'basic'");
  });
  await expect(write).rejects.toBeInstanceOf(DatabaseUnavailable);
});

test('a transaction that throws keeps nothing, also when it was joined by another', async () => {
  const { db } = await openFresh();
  const failing = db.transaction(async (tx) => {
    await tx.transaction(async (inner) => {
      await inner.query("INSERT INTO plans VALUES ('gold', 1, 1, 1)");
    });
    throw new Error('changed my mind');
  });
  await expect(failing).rejects.toThrow('changed my mind');
  expect(await count(db, 'plans')).toBe(3);
});

test('a transaction whose failure was swallowed does not pass for committed', async () => {
  const { db } = await openFresh();
  const swallowing = db.transaction(async (tx) => {
    await tx.query('SELECT nonsense').catch(() => {});
  });
  await expect(swallowing).rejects.toThrow('rolled back');
});

test('connections that the server ends, idle or in a transaction, are replaced', async () => {
  const { db: other, url } = await openFresh();
  const errors: unknown[] = [];
  const db = open(url, { onError: (error) => errors.push(error) });
  const endOthers = () =>
    other.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
  const lost = db.transaction(async (tx) => {
    await tx.query('SELECT 1');
    await endOthers();
    await tx.query('SELECT 1');
  });
  await expect(lost).rejects.toBeInstanceOf(DatabaseUnavailable);
  await db.query('SELECT 1');
  await endOthers();
  await until(() => errors.length > 0);
  expect(errors[0]).toBeInstanceOf(DatabaseUnavailable);
  expect(await db.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a database that was killed is unavailable, and used again when it is back', async () => {
  const server = await startDatabaseServer();
  onTestFinished(() => server.close());
  const db = open(server.url);
  await db.query('SELECT 1');
  await server.kill();
  // The server's process is gone; its children notice that a moment later.
  await until(async () => (await errorOf(() => db.query('SELECT 1'))) instanceof DatabaseUnavailable);
  await server.start();
  expect(await db.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('two writers of the same organization do not lose each other', async () => {
  const { db } = await openFresh();
  await Promise.allSettled(Array.from({ length: 8 }, () => anOrganization(db, 'same')));
  expect(await count(db, 'organizations')).toBe(1);
});

async function errorOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
}

test('connections that are opened ahead are all there, and stay within the pool', async () => {
  const { db, url } = await openFresh();
  const ahead = openDatabase({
    url,
    maxConnections: 3,
    keptConnections: 3,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 10_000,
    applicationName: 'ahead',
    onError: () => {},
  });
  onTestFinished(() => ahead.close());
  await openConnections(ahead, 3);
  expect(await db.query("SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'ahead'")).toEqual([
    { count: 3 },
  ]);
});
