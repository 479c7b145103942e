import { LONGEST_ABSENCE_MS, pruneChanges, type ReadPosition, readChanges } from '@tollgate/postgres/changes/read-changes';
import { expect, test } from 'vitest';
import { anOrganization, count, openFresh } from '../open-fresh.js';
import { pg } from './pg-client.js';

test('transactions that commit out of order are each read, and each once', async () => {
  const { url } = await openFresh();
  const [slow, quick, reader] = [await pg(url), await pg(url), await pg(url)];
  const read = readerOf(reader);
  await read();
  await slow.query('BEGIN');
  await slow.query("UPDATE plans SET burst = burst + 1 WHERE name = 'basic'");
  await quick.query("UPDATE plans SET burst = burst + 1 WHERE name = 'premium'");
  expect(await read()).toEqual(['plan premium']);
  await quick.query("UPDATE plans SET burst = burst + 1 WHERE name = 'enterprise'");
  expect(await read()).toEqual(['plan enterprise']);
  expect(await read()).toEqual([]);
  await slow.query('COMMIT');
  expect(await read()).toEqual(['plan basic']);
  expect(await read()).toEqual([]);
});

test('a savepoint does not hide a change, a rollback does', async () => {
  const { url } = await openFresh();
  const [writer, reader] = [await pg(url), await pg(url)];
  const read = readerOf(reader);
  await read();
  await writer.query('BEGIN; SAVEPOINT one');
  await writer.query("UPDATE plans SET burst = burst + 1 WHERE name = 'basic'");
  await writer.query('RELEASE SAVEPOINT one; SAVEPOINT two');
  await writer.query("UPDATE plans SET burst = burst + 1 WHERE name = 'premium'");
  await writer.query('ROLLBACK TO two');
  expect(await read()).toEqual([]);
  await writer.query('COMMIT');
  expect(await read()).toEqual(['plan basic']);
});

test('whoever was away too long, or has more to read than is worth telling, gets one reload', async () => {
  const { url } = await openFresh();
  const reader = await pg(url);
  const { position } = await readChanges(reader, undefined);
  const longAgo = { ...position, databaseMs: position.databaseMs - LONGEST_ABSENCE_MS - 1 };
  expect((await readChanges(reader, longAgo)).changes).toEqual([{ kind: 'reload', subject: '', atMs: undefined }]);
  expect((await readChanges(reader, position)).changes).toEqual([]);
  await reader.query("INSERT INTO changes (kind, subject) SELECT 'plan', 'basic' FROM generate_series(1, 10001)");
  expect((await readChanges(reader, position)).changes).toEqual([{ kind: 'reload', subject: '', atMs: undefined }]);
});

test('a database that has gone back before the last read is a reload', async () => {
  const { url } = await openFresh();
  const reader = await pg(url);
  const { position } = await readChanges(reader, undefined);
  const ahead = { ...position, snapshot: '9000000000:9000000000:' };
  expect((await readChanges(reader, ahead)).changes).toEqual([{ kind: 'reload', subject: '', atMs: undefined }]);
});

test('pruning deletes only what nobody can ask for any more', async () => {
  const { db, url } = await openFresh();
  await anOrganization(db);
  const client = await pg(url);
  await client.query(
    "INSERT INTO changes (kind, subject, at) SELECT 'plan', 'old', now() - interval '3 hours' FROM generate_series(1, 5)",
  );
  const before = await count(db, 'changes');
  expect(await pruneChanges(db)).toBe(5);
  expect(await count(db, 'changes')).toBe(before - 5);
});

function readerOf(client: Awaited<ReturnType<typeof pg>>): () => Promise<string[]> {
  let last: ReadPosition | undefined;
  return async () => {
    const { changes, position } = await readChanges(client, last);
    last = position;
    return changes.map(({ kind, subject }) => `${kind} ${subject}`);
  };
}
