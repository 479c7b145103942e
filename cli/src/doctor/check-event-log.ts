import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { listSegments, readConsumed, readIfThere, segmentPath } from '@tollgate/event-log/file/log-folder';
import { endOfLog } from '@tollgate/event-log/file/segment-cursor';
import { type Finding, ok, warn } from './finding.js';

const WARN_LAG_BYTES = 16 * 1024 * 1024;
const MIB = 1024 * 1024;
/** Longer than a writer takes that is not behind. */
const WARN_REPLAYS_AGE_MS = 60_000;
const NEXT_STEP = 'Look whether the writer runs, and whether the database keeps up with it.';

/** The event log of the gateway of this folder; undefined where there is none. */
export async function checkEventLog(dataFolder: string): Promise<Finding | undefined> {
  const folder = join(dataFolder, 'events');
  const log = await lookAt(folder);
  if (log === undefined) return undefined;
  const detail = `${mib(log.bytes)} in ${folder}, ${mib(log.lagBytes)} not stored yet`;
  return log.lagBytes <= WARN_LAG_BYTES ? ok('event log', detail) : warn('event log', detail, NEXT_STEP);
}

/** What the reconciler gave once more: lost usage that was found again, and is not safe before it is stored. */
export async function checkReplays(dataFolder: string, nowMs: number): Promise<Finding | undefined> {
  const folder = join(dataFolder, 'replays');
  const log = await lookAt(folder);
  if (log === undefined) return undefined;
  if (log.lagBytes === 0) return ok('replays', `all in ${folder} are stored`);
  const ageMs = nowMs - log.changedMs;
  const detail = `${log.lagBytes} bytes in ${folder} wait for the writer, the last since ${Math.round(ageMs / 1000)} s`;
  return ageMs <= WARN_REPLAYS_AGE_MS ? ok('replays', detail) : warn('replays', detail, NEXT_STEP);
}

async function lookAt(folder: string): Promise<{ bytes: number; lagBytes: number; changedMs: number } | undefined> {
  const logId = (await readIfThere(join(folder, 'log-id')))?.trim();
  if (logId === undefined) return undefined;
  const segments = await Promise.all((await listSegments(folder)).map((base) => stat(segmentPath(folder, base))));
  const consumed = await readConsumed(folder, logId);
  return {
    bytes: segments.reduce((sum, { size }) => sum + size, 0),
    lagBytes: Number((await endOfLog(folder)) - (consumed ?? 0n)),
    changedMs: Math.max(0, ...segments.map(({ mtimeMs }) => mtimeMs)),
  };
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
