import { type FileHandle, open } from 'node:fs/promises';
import { type LogRecord, OffsetOutOfRange } from '../event-log.js';
import { hasCode, listSegments, segmentPath } from './log-folder.js';
import { CHUNK_BYTES, type ScannedRecord, SEGMENT_HEADER, scanRecords } from './record.js';
import { requireHeader } from './segment-writer.js';

export interface CursorBatch {
  records: LogRecord[];
  startOffset: bigint;
  nextOffset: bigint;
}

/** A place in the log that only moves forward. */
export interface SegmentCursor {
  /** The next whole records, or undefined where there are none yet. Throws OffsetOutOfRange where the place is gone. */
  next(maxRecords: number): Promise<CursorBatch | undefined>;
  position(): bigint;
  close(): Promise<void>;
}

/** The offset after the log's last byte, half a record included. */
export async function endOfLog(folder: string): Promise<bigint> {
  const base = (await listSegments(folder)).at(-1);
  if (base === undefined) return 0n;
  const file = await open(segmentPath(folder, base), 'r');
  try {
    return base + BigInt(Math.max(0, (await file.stat()).size - SEGMENT_HEADER.length));
  } finally {
    await file.close();
  }
}

/** Starts at `offset`, or at the beginning of the log. Throws OffsetOutOfRange where the log does not reach so far. */
export async function openCursor(folder: string, offset: bigint | undefined): Promise<SegmentCursor> {
  const first = (await listSegments(folder))[0] ?? 0n;
  const start = offset ?? first;
  const end = await endOfLog(folder);
  if (start < first || start > end) {
    throw new OffsetOutOfRange(`offset ${start} is not in the event log in ${folder}, which has ${first} to ${end}`);
  }
  return segmentCursor(folder, start);
}

interface Opened {
  base: bigint;
  file: FileHandle;
}

function segmentCursor(folder: string, start: bigint): SegmentCursor {
  let position = start;
  let opened: Opened | undefined;
  /** Where damage was seen last: bytes may be read while a cut half record is being written over, so look twice. */
  let doubted: bigint | undefined;
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);

  const leaveSegment = async () => {
    await opened?.file.close();
    opened = undefined;
  };

  const next = async (maxRecords: number): Promise<CursorBatch | undefined> => {
    const place = await findSegment(folder, position);
    if (place === undefined) return undefined;
    if (opened?.base !== place.base) {
      await leaveSegment();
      opened = await openSegment(folder, place.base);
      if (opened === undefined) return undefined;
    }
    const at = SEGMENT_HEADER.length + Number(position - place.base);
    const { bytesRead } = await opened.file.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) {
      if (place.isLast) return undefined;
      throw new OffsetOutOfRange(`the event log in ${folder} has no offset ${position}: a segment is missing or too short`);
    }
    const isFinal = !place.isLast && bytesRead < chunk.length;
    const records = trusted(scanRecords(chunk.subarray(0, bytesRead), isFinal, maxRecords));
    const last = records.at(-1);
    if (last === undefined) return undefined;
    // What the database will call stored must not be gone after a power loss, or its offset would be out of range.
    if (place.isLast) await opened.file.datasync();
    return advance(records, last.end);
  };

  const trusted = (records: ScannedRecord[]): ScannedRecord[] => {
    const damaged = records.findIndex((record) => !record.isIntact);
    if (damaged === -1) return records;
    const offset = position + BigInt(records[damaged]?.start ?? 0);
    if (offset === doubted) return records;
    doubted = offset;
    return records.slice(0, damaged);
  };

  const advance = (records: readonly ScannedRecord[], length: number): CursorBatch => {
    const startOffset = position;
    position += BigInt(length);
    return {
      // Copied, since the chunk is read into again.
      records: records.map(({ start, value }) => ({ offset: startOffset + BigInt(start), value: Buffer.from(value) })),
      startOffset,
      nextOffset: position,
    };
  };

  return { next, position: () => position, close: leaveSegment };
}

async function findSegment(folder: string, offset: bigint): Promise<{ base: bigint; isLast: boolean } | undefined> {
  const bases = await listSegments(folder);
  if (bases.length === 0 && offset === 0n) return undefined;
  const index = bases.findLastIndex((base) => base <= offset);
  const base = bases[index];
  if (base === undefined) throw new OffsetOutOfRange(`the event log in ${folder} no longer has offset ${offset}`);
  return { base, isLast: index === bases.length - 1 };
}

/** Undefined where the segment has only just been made, and where retention took it: the next look tells which. */
async function openSegment(folder: string, base: bigint): Promise<Opened | undefined> {
  const path = segmentPath(folder, base);
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    if ((await file.stat()).size >= SEGMENT_HEADER.length) {
      await requireHeader(file, path);
      return { base, file };
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}
