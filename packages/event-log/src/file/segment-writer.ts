import { type FileHandle, open } from 'node:fs/promises';
import { segmentPath, syncFolder } from './log-folder.js';
import { CHUNK_BYTES, SEGMENT_HEADER, scanRecords, wholeRecordBytes } from './record.js';

/** The segment at the end of the log, open for appending. */
export interface SegmentWriter {
  readonly base: bigint;
  /** The offset that the next record will have. */
  end(): bigint;
  /** Writes whole records. On failure it keeps those that were written whole, cuts the half one off, and rejects. */
  append(records: Buffer): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a segment at `base`, durable with its name before anything stands in it. */
export async function createSegment(folder: string, base: bigint): Promise<SegmentWriter> {
  const file = await open(segmentPath(folder, base), 'w+');
  try {
    await file.write(SEGMENT_HEADER, 0, SEGMENT_HEADER.length, 0);
    await file.sync();
    await syncFolder(folder);
  } catch (error) {
    await file.close();
    throw error;
  }
  return segmentWriter(file, base, 0);
}

/**
 * Opens the last segment again and cuts off what a crash left behind its last whole record. Damage with a record after
 * it is no tail and stays, for the reader to hand on. `onCut` learns how many bytes went.
 */
export async function reopenSegment(folder: string, base: bigint, onCut: (bytes: number) => void): Promise<SegmentWriter> {
  const file = await open(segmentPath(folder, base), 'r+');
  try {
    const { size } = await file.stat();
    if (size < SEGMENT_HEADER.length) {
      await file.close();
      return await createSegment(folder, base);
    }
    await requireHeader(file, segmentPath(folder, base));
    const whole = await wholeBytes(file);
    const cut = size - SEGMENT_HEADER.length - whole;
    if (cut > 0) {
      await file.truncate(SEGMENT_HEADER.length + whole);
      await file.sync();
      onCut(cut);
    }
    return segmentWriter(file, base, whole);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Throws where the file is no segment, or of a version that this program does not know. */
export async function requireHeader(file: FileHandle, path: string): Promise<void> {
  const header = Buffer.alloc(SEGMENT_HEADER.length);
  await file.read(header, 0, header.length, 0);
  if (!header.equals(SEGMENT_HEADER)) throw new Error(`${path} is not a segment of an event log, or of an unknown version`);
}

async function wholeBytes(file: FileHandle): Promise<number> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let whole = 0;
  for (;;) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, SEGMENT_HEADER.length + whole);
    const last = scanRecords(chunk.subarray(0, bytesRead), false, Number.POSITIVE_INFINITY).at(-1);
    if (last === undefined) return whole;
    whole += last.end;
  }
}

function segmentWriter(file: FileHandle, base: bigint, initialBytes: number): SegmentWriter {
  let bytes = initialBytes;
  let hasHalfRecord = false;

  const cutHalfRecord = async () => {
    await file.truncate(SEGMENT_HEADER.length + bytes);
    hasHalfRecord = false;
  };

  return {
    base,
    end: () => base + BigInt(bytes),
    append: async (records) => {
      // The disk may refuse even the cut; then nothing more is appended until it succeeds.
      if (hasHalfRecord) await cutHalfRecord();
      let written = 0;
      try {
        while (written < records.length) {
          const place = SEGMENT_HEADER.length + bytes + written;
          written += (await file.write(records, written, records.length - written, place)).bytesWritten;
        }
        bytes += written;
      } catch (error) {
        // Whole records stay although nobody was promised them: a reader may have stored them already, and cutting
        // them off would put other records at offsets that it has passed.
        bytes += wholeRecordBytes(records, written);
        hasHalfRecord = true;
        await cutHalfRecord().catch(() => {});
        throw error;
      }
    },
    sync: () => file.datasync(),
    close: () => file.close(),
  };
}
