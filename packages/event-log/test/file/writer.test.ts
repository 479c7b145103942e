import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EventLogFull } from '../../src/event-log.js';
import { createFileEventLogReader } from '../../src/file/file-event-log-reader.js';
import { openFileEventLogWriter } from '../../src/file/file-event-log-writer.js';
import { listSegments, openLogFolder, readConsumed, segmentPath, writeConsumed } from '../../src/file/log-folder.js';
import { applyRetention } from '../../src/file/retention.js';
import { EventLogInUse, takeWriterLock } from '../../src/file/writer-lock.js';
import { anEvent, eventsFrom } from '../an-event.js';
import { aFolder, readLog, requestIds } from './a-log-folder.js';

test('a second writer of a live log is refused, and may write when the first has closed', async () => {
  const folder = await aFolder();
  const first = await openFileEventLogWriter({ folder });
  await expect(openFileEventLogWriter({ folder })).rejects.toThrow(EventLogInUse);
  await first.close();
  await (await openFileEventLogWriter({ folder })).close();
});

test('a lock whose process is gone is taken over, also when its pid is in use again', async () => {
  const folder = await aFolder();
  await openLogFolder(folder);
  const left = [`${process.pid} other-boot:1\n`, '999999999 x:1\n', 'nonsense', ''];
  for (const [time, stale] of left.entries()) {
    await writeFile(join(folder, `writer-000000001${2 * time}.lock`), stale);
    const writer = await openFileEventLogWriter({ folder });
    expect(await readFile(join(folder, `writer-000000001${2 * time + 1}.lock`), 'utf8')).toContain(`${process.pid} `);
    await writer.close();
  }
});

test('of many writers that find a stale lock at once exactly one gets the log', async () => {
  const folder = await aFolder();
  await openLogFolder(folder);
  for (let time = 1; time <= 50; time++) {
    await writeFile(join(folder, `writer-${String(time * 10).padStart(10, '0')}.lock`), '999999999 x:1\n');
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => takeWriterLock(folder)));
    const taken = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(taken).toHaveLength(1);
    expect((await readdir(folder)).filter((name) => name.endsWith('.lock'))).toHaveLength(1);
    await taken[0]?.release();
  }
});

test('a log that holds too much unread rejects with EventLogFull until it is read', async () => {
  const folder = await aFolder();
  const writer = await openFileEventLogWriter({ folder, segmentBytes: 1000, maxUnreadBytes: 5000 });
  let appended = 0;
  const fill = async () => {
    for (;;) {
      await writer.append([anEvent(appended)]);
      appended += 1;
    }
  };
  await expect(fill()).rejects.toThrow(EventLogFull);
  expect(appended).toBeGreaterThan(5);
  expect(await readLog(folder, (records) => records.length === appended)).toHaveLength(appended);
  await writer.append([anEvent(appended)]);
  await writer.close();
});

test('an event too long for a record is refused alone', async () => {
  const folder = await aFolder();
  const writer = await openFileEventLogWriter({ folder });
  const results = await Promise.allSettled([
    writer.append([anEvent(0)]),
    writer.append([{ ...anEvent(1), path: 'x'.repeat(70_000) }]),
    writer.append([anEvent(2)]),
  ]);
  await writer.close();
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(requestIds(await readLog(folder, (records) => records.length === 2))).toEqual(['request 0', 'request 2']);
});

test('segments are deleted only when every group has stored them and they are old or too many', async () => {
  const folder = await aFolder();
  const writer = await openFileEventLogWriter({ folder, segmentBytes: 100, fsync: 'batch' });
  for (const event of eventsFrom(0, 5)) await writer.append([event]);
  await writer.close();
  const logId = await openLogFolder(folder);
  const bases = await listSegments(folder);
  expect(bases).toHaveLength(5);
  const old = new Date(Date.now() - 100_000);
  for (const base of bases) await utimes(segmentPath(folder, base), old, old);
  const keep = { keepMs: 50_000, keepBytes: 1 << 30 };

  await applyRetention(folder, logId, keep, Date.now());
  expect(await listSegments(folder)).toEqual(bases);

  await writeConsumed(folder, 'fast', logId, (bases[4] ?? 0n) + 10n);
  await writeConsumed(folder, 'slow', logId, bases[2] ?? 0n);
  await writeConsumed(folder, 'stranger', 'another log', 0n);
  expect(await readConsumed(folder, logId)).toBe(bases[2]);
  await applyRetention(folder, logId, keep, Date.now());
  expect(await listSegments(folder)).toEqual(bases.slice(2));

  await writeConsumed(folder, 'slow', logId, (bases[4] ?? 0n) + 10n);
  await applyRetention(folder, logId, { keepMs: 1e9, keepBytes: 100 }, Date.now());
  expect(await listSegments(folder)).toEqual(bases.slice(4));
});

test('a reader may be asked whether it has caught up before anything has made the folder of its log', async () => {
  const reader = createFileEventLogReader({ folder: join(await aFolder(), 'later'), group: 'test', pollMs: 5 });
  const caughtUp = reader.caughtUp();
  void reader.run(
    async () => undefined,
    async () => {},
  );
  await caughtUp;
  await reader.close();
});
