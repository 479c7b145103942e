import { rename, stat, unlink } from 'node:fs/promises';
import type { WitnessLog } from '../witness-log.js';

export interface Rotation {
  path: string;
  /** A log that has reached this size gets a successor. */
  maxBytes: number;
  /** A rotated log that is checked whole is deleted this long after its last line. */
  keepMs: number;
  /** Of all rotated logs together; beyond it the oldest goes, checked or not: a full disk stops the gateway. */
  maxTotalBytes: number;
  /** Makes Envoy open its logs by their names again. */
  reopenLogs(): Promise<void>;
  /** Hears of bytes that were deleted unchecked. */
  onLost(bytes: number): void;
}

/** Names of logs that were rotated here; what another program rotated is its to delete. */
const ROTATED_HERE = /\.\d{8}T\d{9}Z$/;

/** Rotates the log where it is large enough. A log that Envoy has not opened anew is asked for again. */
export async function rotateLog({ path, maxBytes, reopenLogs }: Rotation, now: Date): Promise<void> {
  const stats = await stat(path).catch(() => undefined);
  if (stats !== undefined && stats.size < maxBytes) return;
  // Until the logs are opened again Envoy writes on into the renamed one, which is read like any other.
  if (stats !== undefined) await rename(path, `${path}.${now.toISOString().replace(/[-:.]/g, '')}`);
  await reopenLogs();
}

/** Deletes rotated logs that nobody needs, and the oldest of those that take too much room. */
export async function deleteOldLogs(log: WitnessLog, rotation: Rotation, nowMs: number): Promise<void> {
  const rotated = (await log.files()).filter(({ path }) => ROTATED_HERE.test(path));
  let totalBytes = rotated.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const file of rotated) {
    const isOld = log.isDone(file) && nowMs - file.changedMs >= rotation.keepMs;
    const isTooMuch = totalBytes > rotation.maxTotalBytes;
    if (!isOld && !isTooMuch) continue;
    const uncheckedBytes = file.sizeBytes - log.keptOffset(file.fileId);
    await unlink(file.path);
    totalBytes -= file.sizeBytes;
    if (!log.isDone(file)) rotation.onLost(uncheckedBytes);
  }
}
