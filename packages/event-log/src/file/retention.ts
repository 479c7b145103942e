import { stat, unlink } from 'node:fs/promises';
import { listSegments, readConsumed, segmentPath } from './log-folder.js';

export interface RetentionSettings {
  /** How long and how much of what every group has stored is kept, for a look back or a second reading. */
  keepMs: number;
  keepBytes: number;
}

/**
 * Deletes segments that every group has stored wholly, as soon as they are older than `keepMs` or more than `keepBytes`
 * of stored ones are newer. The last segment always stays, as it names where the log ends. Returns the offset up to
 * which every group has stored: the beginning of the log where none ever told.
 */
export async function applyRetention(folder: string, logId: string, settings: RetentionSettings, nowMs: number): Promise<bigint> {
  const bases = await listSegments(folder);
  const consumed = (await readConsumed(folder, logId)) ?? bases[0] ?? 0n;
  for (const [index, base] of bases.entries()) {
    const end = bases[index + 1];
    if (end === undefined || end > consumed) break;
    const path = segmentPath(folder, base);
    const isOld = (await stat(path)).mtimeMs < nowMs - settings.keepMs;
    if (!isOld && consumed - base <= BigInt(settings.keepBytes)) break;
    await unlink(path);
  }
  return consumed;
}
