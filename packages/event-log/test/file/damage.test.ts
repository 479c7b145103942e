import { appendFile, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { OffsetOutOfRange } from '../../src/event-log.js';
import { openFileEventLogWriter } from '../../src/file/file-event-log-writer.js';
import { listSegments, segmentPath } from '../../src/file/log-folder.js';
import { CHUNK_BYTES, encodeRecord } from '../../src/file/record.js';
import { eventsFrom } from '../an-event.js';
import { aFolder, lastSegment, readLog, requestIds } from './a-log-folder.js';

async function aLogOf(count: number, segmentBytes = 64 << 20): Promise<string> {
  const folder = await aFolder();
  const writer = await openFileEventLogWriter({ folder, segmentBytes });
  for (const event of eventsFrom(0, count)) await writer.append([event]);
  await writer.close();
  return folder;
}

async function reopenAndAppend(folder: string, first: number, count: number): Promise<string[]> {
  const problems: string[] = [];
  const writer = await openFileEventLogWriter({ folder, onProblem: (problem) => problems.push(problem) });
  await writer.append(eventsFrom(first, count));
  await writer.close();
  return problems;
}

async function flipByte(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 0xff;
  await file.write(byte, 0, 1, at);
  await file.close();
}

const names = (first: number, count: number) => eventsFrom(first, count).map((event) => event.request_id);

test('a torn tail of any length is cut off when the log is opened, and nothing before it', async () => {
  const folder = await aLogOf(3);
  const path = await lastSegment(folder);
  const whole = await readFile(path);
  const torn = encodeRecord(Buffer.from(JSON.stringify(eventsFrom(9, 1)[0])));
  for (let length = 1; length < torn.length; length += 37) {
    await writeFile(path, Buffer.concat([whole, torn.subarray(0, length)]));
    expect(await reopenAndAppend(folder, 3, 2)).toEqual([`cut off ${length} bytes of an append that a crash interrupted`]);
    expect(requestIds(await readLog(folder, (records) => records.length === 5))).toEqual(names(0, 5));
  }
});

test('zeros that a power loss left behind the last record are cut off', async () => {
  const folder = await aLogOf(3);
  await appendFile(await lastSegment(folder), Buffer.alloc(200_000));
  expect(await reopenAndAppend(folder, 3, 1)).toHaveLength(1);
  expect(requestIds(await readLog(folder, (records) => records.length === 4))).toEqual(names(0, 4));
});

test('a segment whose header was never written whole is begun again', async () => {
  const folder = await aLogOf(0);
  await truncate(await lastSegment(folder), 3);
  expect(await reopenAndAppend(folder, 0, 2)).toEqual([]);
  expect(requestIds(await readLog(folder, (records) => records.length === 2))).toEqual(names(0, 2));
});

test('half a record at the end is never delivered, and the whole one is when it is there', async () => {
  const folder = await aLogOf(1);
  const path = await lastSegment(folder);
  const record = encodeRecord(Buffer.from(JSON.stringify(eventsFrom(1, 1)[0])));
  await appendFile(path, record.subarray(0, 100));
  let looks = 0;
  const records = await readLog(folder, (seen) => {
    looks += 1;
    if (looks === 20) {
      expect(seen).toHaveLength(1);
      void appendFile(path, record.subarray(100));
    }
    return seen.length === 2;
  });
  expect(requestIds(records)).toEqual(names(0, 2));
});

for (const { where, at } of [
  { where: 'value', at: 50 },
  { where: 'checksum', at: 5 },
  { where: 'length (too long)', at: 0 },
  { where: 'length (shorter)', at: 3 },
]) {
  test(`a damaged ${where} in the middle loses its record to the reader's judgement and no other record`, async () => {
    const folder = await aLogOf(3);
    const path = await lastSegment(folder);
    const recordBytes = ((await stat(path)).size - 8) / 3;
    await flipByte(path, 8 + recordBytes + at);
    const records = await readLog(folder, (seen) => seen.length === 3);
    expect(requestIds([records[0], records[2]].flatMap((record) => record ?? []))).toEqual(['request 0', 'request 2']);
    expect(records[1]?.value).toHaveLength(recordBytes);
    expect(records[1]?.value.includes('request 1')).toBe(true);
    expect(await reopenAndAppend(folder, 3, 1)).toEqual([]);
    expect(await readLog(folder, (seen) => seen.length === 4)).toHaveLength(4);
  });
}

test('a damaged last record of a closed segment is delivered as it is, and the next segment is read', async () => {
  const folder = await aLogOf(3, 100);
  const first = (await listSegments(folder))[0] ?? 0n;
  await flipByte(segmentPath(folder, first), 60);
  const records = await readLog(folder, (seen) => seen.length === 3);
  expect(requestIds(records.slice(1))).toEqual(names(1, 2));
});

test('damage longer than any tail is handed on in pieces, never skipped', async () => {
  const folder = await aLogOf(1);
  const path = await lastSegment(folder);
  const garbage = Buffer.alloc(3 * CHUNK_BYTES + 17, 'x');
  await appendFile(path, garbage);
  await appendFile(path, encodeRecord(Buffer.from(JSON.stringify(eventsFrom(1, 1)[0]))));
  const records = await readLog(folder, (seen) => seen.at(-1)?.value.includes('request 1') ?? false);
  expect(Buffer.concat(records.slice(1, -1).map(({ value }) => value)).equals(garbage)).toBe(true);
});

test('a file that is no segment stops the writer and the reader', async () => {
  const folder = await aLogOf(1);
  await flipByte(await lastSegment(folder), 7);
  await expect(openFileEventLogWriter({ folder })).rejects.toThrow('unknown version');
});

test('an offset whose segment is gone is an error', async () => {
  const folder = await aLogOf(6, 100);
  const [first = 0n, second = 0n, third = 0n] = await listSegments(folder);
  await rm(segmentPath(folder, second));
  await expect(readLog(folder, (seen) => seen.length === 6, first)).rejects.toThrow(OffsetOutOfRange);
  await rm(segmentPath(folder, first));
  await expect(readLog(folder, (seen) => seen.length === 6, first)).rejects.toThrow(OffsetOutOfRange);
  expect(await readLog(folder, (seen) => seen.length === 4, third)).toHaveLength(4);
});
