import { setTimeout as pause } from 'node:timers/promises';
import { type EventLogReader, type FindOffset, type LogBatch, OffsetOutOfRange } from '../event-log.js';
import { openLogFolder, writeConsumed } from './log-folder.js';
import { type CursorBatch, endOfLog, openCursor, type SegmentCursor } from './segment-cursor.js';

export interface FileEventLogReaderOptions {
  folder: string;
  /** Lower-case letters, digits and hyphens. Retention waits for every group that ever stored something. */
  group: string;
  /** How often a reader that has caught up looks for more. Default 100. */
  pollMs?: number;
  /** Records in a batch at most. Default 1000. */
  maxBatch?: number;
  /** The pause after a rejected store doubles from 100 ms up to this. Default 5000. */
  maxPauseMs?: number;
  /** Learns why reading paused. */
  onProblem?: (problem: string, error: unknown) => void;
}

export const FILE_LOG_TOPIC = 'usage-events';
const PARTITION = 0;
const FIRST_PAUSE_MS = 100;
const LOOK_AGAIN_MS = 20;
/** Of an event, before any was seen; only `lag` uses it. */
const TYPICAL_RECORD_BYTES = 450;

/** Reads a file event log, also while another process writes it. Several groups may read at once, one reader each. */
export function createFileEventLogReader(options: FileEventLogReaderOptions): EventLogReader {
  const { pollMs = 100 } = options;
  if (!/^[a-z0-9-]+$/.test(options.group)) throw new Error(`not a name for a group of readers: ${options.group}`);
  const closing = new AbortController();
  const rest = (ms: number) => pause(ms, undefined, { signal: closing.signal }).catch(() => {});
  const progress = createProgress();
  let running: Promise<void> | undefined;
  let hasEnded = false;

  const run = async (findOffset: FindOffset, store: Store) => {
    const steps = createSteps(options, progress, findOffset, store);
    try {
      await repeat(steps, { ...options, pollMs, rest, isClosing: () => closing.signal.aborted });
    } finally {
      hasEnded = true;
      await steps.leave();
    }
  };

  return {
    run: (findOffset, store) => {
      running ??= run(findOffset, store);
      return running;
    },
    lag: progress.lag,
    caughtUp: async () => {
      await openLogFolder(options.folder); // which a reader may be asked about before anything made it
      const goal = await endOfLog(options.folder);
      while (!progress.hasReached(goal)) {
        if (hasEnded || closing.signal.aborted) throw new Error('reading ended before it caught up');
        await rest(Math.min(pollMs, LOOK_AGAIN_MS));
      }
    },
    close: async () => {
      closing.abort();
      await running?.catch(() => {});
    },
  };
}

type Store = (batch: LogBatch) => Promise<void>;

interface Steps {
  /** Stores one batch; false where there was none. */
  next(): Promise<boolean>;
  /** Forgets the place, so that the next step asks for it again. */
  leave(): Promise<void>;
}

async function repeat(
  steps: Steps,
  options: Pick<FileEventLogReaderOptions, 'maxPauseMs' | 'onProblem'> & {
    pollMs: number;
    rest: (ms: number) => Promise<void>;
    isClosing: () => boolean;
  },
): Promise<void> {
  const { maxPauseMs = 5000, onProblem, pollMs, rest, isClosing } = options;
  let pauseMs = FIRST_PAUSE_MS;
  while (!isClosing()) {
    try {
      if (!(await steps.next())) await rest(pollMs);
      pauseMs = FIRST_PAUSE_MS;
    } catch (error) {
      if (error instanceof OffsetOutOfRange) throw error;
      onProblem?.(`reading goes on in ${pauseMs} ms`, error);
      await steps.leave();
      await rest(pauseMs);
      pauseMs = Math.min(pauseMs * 2, maxPauseMs);
    }
  }
}

function createSteps(options: FileEventLogReaderOptions, progress: Progress, findOffset: FindOffset, store: Store): Steps {
  const { folder, group, maxBatch = 1000, onProblem } = options;
  let place: { logId: string; cursor: SegmentCursor } | undefined;

  const leave = async () => {
    await place?.cursor.close();
    place = undefined;
  };
  const next = async () => {
    const logId = await openLogFolder(folder);
    progress.sawEnd(await endOfLog(folder));
    if (place?.logId !== logId) await leave();
    if (place === undefined) {
      place = { logId, cursor: await openCursor(folder, await findOffset(logId, FILE_LOG_TOPIC, PARTITION)) };
      progress.begins(place.cursor.position());
    }
    const batch = await place.cursor.next(maxBatch);
    if (batch === undefined) return false;
    await store({ logId, topic: FILE_LOG_TOPIC, partition: PARTITION, ...batch });
    progress.stored(batch);
    await writeConsumed(folder, group, logId, batch.nextOffset).catch((error: unknown) =>
      onProblem?.('progress could not be noted for retention', error),
    );
    return true;
  };
  return { next, leave };
}

type Progress = ReturnType<typeof createProgress>;

/** How far reading has come, as far as is known. */
function createProgress() {
  let stored: bigint | undefined;
  let end = 0n;
  let recordBytes = TYPICAL_RECORD_BYTES;
  return {
    sawEnd: (offset: bigint) => {
      end = offset;
    },
    begins: (offset: bigint) => {
      stored = offset;
    },
    stored: ({ records, startOffset, nextOffset }: CursorBatch) => {
      stored = nextOffset;
      recordBytes = Number(nextOffset - startOffset) / records.length;
    },
    hasReached: (offset: bigint) => stored !== undefined && stored >= offset,
    // Before the database has told where reading begins, all that is there counts as waiting.
    lag: () => Math.max(0, Math.ceil(Number(end - (stored ?? 0n)) / recordBytes)),
  };
}
