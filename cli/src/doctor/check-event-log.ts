import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { listSegments, readConsumed, readIfThere, segmentPath } from '@tollgate/event-log/file/log-folder';
import { endOfLog } from '@tollgate/event-log/file/segment-cursor';
import { type Finding, ok, warn } from './finding.js';

const WARN_LAG_BYTES = 16 * 1024 * 1024;
const MIB = 1024 * 1024;

/** The event log of the gateway of this folder; undefined where there is none. */
export async function checkEventLog(dataFolder: string): Promise<Finding | undefined> {
  const folder = join(dataFolder, 'events');
  const logId = (await readIfThere(join(folder, 'log-id')))?.trim();
  if (logId === undefined) return undefined;
  const sizes = await Promise.all((await listSegments(folder)).map(async (base) => (await stat(segmentPath(folder, base))).size));
  const consumed = await readConsumed(folder, logId);
  const lagBytes = Number((await endOfLog(folder)) - (consumed ?? 0n));
  const detail = `${mib(sizes.reduce((sum, size) => sum + size, 0))} in ${folder}, ${mib(lagBytes)} not stored yet`;
  if (lagBytes <= WARN_LAG_BYTES) return ok('event log', detail);
  return warn('event log', detail, 'Look whether the writer runs, and whether the database keeps up with it.');
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
