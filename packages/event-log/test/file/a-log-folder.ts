import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@tollgate/testing/until';
import { onTestFinished } from 'vitest';
import type { LogRecord } from '../../src/event-log.js';
import { createFileEventLogReader } from '../../src/file/file-event-log-reader.js';
import { listSegments, segmentPath } from '../../src/file/log-folder.js';
import { encodeRecord } from '../../src/file/record.js';

export async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'event-log-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function lastSegment(folder: string): Promise<string> {
  const base = (await listSegments(folder)).at(-1);
  if (base === undefined) throw new Error(`no segment among ${await readdir(folder)}`);
  return segmentPath(folder, base);
}

export async function appendRecord(folder: string, value: Buffer): Promise<void> {
  await appendFile(await lastSegment(folder), encodeRecord(value));
}

/** Reads from `offset`, or from the beginning, until `isEnough`. */
export async function readLog(
  folder: string,
  isEnough: (records: readonly LogRecord[]) => boolean,
  offset?: bigint,
): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  const reader = createFileEventLogReader({ folder, group: 'test', pollMs: 5 });
  const run = reader.run(
    async () => offset,
    async (batch) => {
      records.push(...batch.records);
    },
  );
  try {
    await Promise.race([until(() => isEnough(records), 20_000, 'reading enough'), run]);
  } finally {
    await reader.close();
  }
  return records;
}

export function requestIds(records: readonly LogRecord[]): string[] {
  return records.map(({ value }) => JSON.parse(value.toString()).request_id);
}
