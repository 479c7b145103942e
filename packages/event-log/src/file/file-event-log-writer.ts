/**
 * Appends usage events to segment files. `append` resolves when the operating system has the bytes: what was acknowledged
 * survives any death of this process (kill -9 too). A power loss or a crash of the system costs at most what was
 * acknowledged in the last `fsync` interval (200 ms) or 1 MB, whichever is less; with `fsync: 'batch'` nothing. While the
 * disk refuses to make things durable that bound does not hold, and `onProblem` hears of it.
 */
import type { EventLogWriter } from '../event-log.js';
import { type AppendGroup, takeGroup, type WaitingAppend } from './append-queue.js';
import { type LogEnd, openLogEnd } from './log-end.js';
import { openLogFolder } from './log-folder.js';
import { createWorkLoop } from './work-loop.js';
import { takeWriterLock, type WriterLock } from './writer-lock.js';

export interface FileEventLogWriterOptions {
  folder: string;
  /** `'batch'`: before an append resolves; a number: at most that many milliseconds later. Default 200. */
  fsync?: 'batch' | number;
  /** A segment that has reached this size gets a successor. Default 64 MiB. */
  segmentBytes?: number;
  /** What may wait for readers before `append` rejects with EventLogFull. Default 1 GiB. */
  maxUnreadBytes?: number;
  /** What every group has stored is kept this long (default 24 h) and up to this much (default 1 GiB). */
  keepMs?: number;
  keepBytes?: number;
  /** Learns what went wrong beside an append: a torn tail that was cut off, a failed fsync, a failed clean-up. */
  onProblem?: (problem: string, error?: unknown) => void;
}

type Settings = Required<FileEventLogWriterOptions>;

const DEFAULTS = { fsync: 200, segmentBytes: 64 << 20, maxUnreadBytes: 1 << 30, keepMs: 86_400_000, keepBytes: 1 << 30 };
const MAX_UNSYNCED_BYTES = 1 << 20;
const CLEAN_UP_EVERY_MS = 60_000;

export interface FileEventLogWriter extends EventLogWriter {
  /** Where the log ends: the offset that the next record will have. */
  endOffset(): bigint;
}

/** Opens the log for writing. Throws EventLogInUse where another live process writes it. */
export async function openFileEventLogWriter(options: FileEventLogWriterOptions): Promise<FileEventLogWriter> {
  const settings: Settings = { ...DEFAULTS, onProblem: () => {}, ...options };
  const { folder, onProblem } = settings;
  const logId = await openLogFolder(folder);
  const lock = await takeWriterLock(folder);
  try {
    const onCut = (bytes: number) => onProblem(`cut off ${bytes} bytes of an append that a crash interrupted`);
    return fileEventLogWriter(settings, await openLogEnd(settings, logId, onCut), lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function fileEventLogWriter(settings: Settings, end: LogEnd, lock: WriterLock): FileEventLogWriter {
  const { fsync, onProblem } = settings;
  const queue: WaitingAppend[] = [];
  const due = new Set<'sync' | 'clean-up'>(['clean-up']);
  let syncTimer: NodeJS.Timeout | undefined;
  let closing: Promise<void> | undefined;

  const attempt = (what: string, work: () => Promise<void>) =>
    work().catch((error: unknown) => onProblem(`${what} failed`, error));

  /** The only place that touches the log's end. */
  const loop = createWorkLoop(async () => {
    if (due.delete('clean-up')) await attempt('cleaning up segments', end.cleanUp);
    do {
      await writeGroup(takeGroup(queue), end, fsync === 'batch');
      if (due.delete('sync') || end.unsyncedBytes() >= MAX_UNSYNCED_BYTES) await attempt('fsync', end.sync);
    } while (queue.length > 0);
    if (end.unsyncedBytes() > 0) syncSoon();
  });
  const syncSoon = () => {
    syncTimer ??= setTimeout(
      () => {
        syncTimer = undefined;
        due.add('sync');
        loop.wake();
      },
      fsync === 'batch' ? DEFAULTS.fsync : fsync,
    );
  };
  const cleanUpTimer = setInterval(() => {
    due.add('clean-up');
    loop.wake();
  }, CLEAN_UP_EVERY_MS);
  cleanUpTimer.unref();
  loop.wake();

  const close = async () => {
    clearInterval(cleanUpTimer);
    await loop.idle();
    clearTimeout(syncTimer);
    try {
      await end.close();
    } finally {
      await lock.release();
    }
  };

  return {
    endOffset: end.offset,
    append: (events) => {
      if (closing !== undefined) return Promise.reject(new Error('the event log is closed'));
      return new Promise((resolve, reject) => {
        queue.push({ events, resolve, reject });
        loop.wake();
      });
    },
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** Settles every append of the group, and never rejects itself. */
async function writeGroup({ appends, records }: AppendGroup, end: LogEnd, isSyncedFirst: boolean): Promise<void> {
  if (appends.length === 0) return;
  let kept = 0n;
  let failure: unknown;
  try {
    await end.makeRoom(records.length);
    const start = end.offset();
    await end.append(records).finally(() => {
      kept = end.offset() - start;
    });
    if (isSyncedFirst) await end.sync();
  } catch (error) {
    failure = error;
    if (isSyncedFirst) kept = 0n;
  }
  for (const { append, end: appendEnd } of appends) {
    if (kept >= appendEnd) append.resolve();
    else append.reject(failure);
  }
}
