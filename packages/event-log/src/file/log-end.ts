import { EventLogFull } from '../event-log.js';
import { listSegments } from './log-folder.js';
import { applyRetention, type RetentionSettings } from './retention.js';
import { createSegment, reopenSegment, type SegmentWriter } from './segment-writer.js';

export interface LogEndSettings extends RetentionSettings {
  folder: string;
  segmentBytes: number;
  maxUnreadBytes: number;
}

/** The place where the log grows: its last segment and the successors of that. Calls must not overlap. */
export interface LogEnd {
  /** The offset that the next record will have. */
  offset(): bigint;
  /** Throws EventLogFull where so many bytes more would be too much unread. */
  makeRoom(bytes: number): Promise<void>;
  append(records: Buffer): Promise<void>;
  unsyncedBytes(): number;
  sync(): Promise<void>;
  cleanUp(): Promise<void>;
  close(): Promise<void>;
}

export async function openLogEnd(settings: LogEndSettings, logId: string, onCut: (bytes: number) => void): Promise<LogEnd> {
  const { folder } = settings;
  const last = (await listSegments(folder)).at(-1);
  const segment = last === undefined ? await createSegment(folder, 0n) : await reopenSegment(folder, last, onCut);
  return logEnd(settings, logId, segment);
}

function logEnd(settings: LogEndSettings, logId: string, first: SegmentWriter): LogEnd {
  const { folder, segmentBytes, maxUnreadBytes } = settings;
  let segment = first;
  let consumed = first.base;
  let unsyncedBytes = 0;

  const cleanUp = async () => {
    consumed = await applyRetention(folder, logId, settings, Date.now());
  };
  const sync = async () => {
    if (unsyncedBytes === 0) return;
    await segment.sync();
    unsyncedBytes = 0;
  };
  const roll = async () => {
    // A reader takes a segment with a successor for finished and durable.
    await sync();
    const next = await createSegment(folder, segment.end());
    await segment.close();
    segment = next;
  };

  return {
    offset: () => segment.end(),
    makeRoom: async (bytes) => {
      const isTooMuch = () => segment.end() + BigInt(bytes) - consumed > maxUnreadBytes;
      if (isTooMuch()) await cleanUp();
      if (isTooMuch()) throw new EventLogFull(`the event log in ${folder} holds ${segment.end() - consumed} unread bytes`);
      if (segment.end() - segment.base >= segmentBytes) await roll();
    },
    append: async (records) => {
      const start = segment.end();
      try {
        await segment.append(records);
      } finally {
        unsyncedBytes += Number(segment.end() - start);
      }
    },
    unsyncedBytes: () => unsyncedBytes,
    sync,
    cleanUp,
    close: async () => {
      try {
        await sync();
      } finally {
        await segment.close();
      }
    },
  };
}
