/**
 * How records lie in a segment file (version 1):
 *
 *   segment = header record*        header = the 8 bytes "TGEVLOG1"; its last byte is the version
 *   record  = length crc value      length = uint32 BE of the value's bytes, 1 … 65,536
 *                                   crc    = uint32 BE, CRC-32 of the value
 *
 * A record's first byte is always 0, as no length reaches 2^24, and JSON has no byte 0: so a reader that lost the framing
 * to a damaged byte finds the next record again without mistaking text for one.
 */
import { crc32 } from 'node:zlib';

export const SEGMENT_HEADER = Buffer.from('TGEVLOG1', 'latin1');
export const MAX_VALUE_BYTES = 65_536;
const FRAME_BYTES = 8;
const MAX_RECORD_BYTES = FRAME_BYTES + MAX_VALUE_BYTES;

/** How much is read at once, and the longest run of bytes without a record that may still be a tail being written. */
export const CHUNK_BYTES = 1 << 20;

/** One record in the log's bytes. Throws a RangeError where the value is empty or too long. */
export function encodeRecord(value: Buffer): Buffer {
  if (value.length === 0 || value.length > MAX_VALUE_BYTES) {
    throw new RangeError(`a value of the event log has 1 to ${MAX_VALUE_BYTES} bytes, not ${value.length}`);
  }
  const record = Buffer.allocUnsafe(FRAME_BYTES + value.length);
  record.writeUInt32BE(value.length, 0);
  record.writeUInt32BE(crc32(value), 4);
  value.copy(record, FRAME_BYTES);
  return record;
}

export interface ScannedRecord {
  /** Where it begins and ends in the scanned bytes. */
  start: number;
  end: number;
  value: Buffer;
  /** False for bytes between two records that are none: the value is these bytes as they are. */
  isIntact: boolean;
}

/**
 * Reads records from the beginning of `bytes`, at most `maxRecords`. Damaged bytes with a record after them become one
 * record that is not intact. Without one after them they may be a record that is being written, and the scan stops before
 * them, unless `isFinal` (nothing will ever follow these bytes) or a whole chunk is unreadable.
 */
export function scanRecords(bytes: Buffer, isFinal: boolean, maxRecords: number): ScannedRecord[] {
  const records: ScannedRecord[] = [];
  let at = 0;
  while (at < bytes.length && records.length < maxRecords) {
    const record = recordAt(bytes, at) ?? damagedAt(bytes, at, isFinal);
    if (record === undefined) break;
    records.push(record);
    at = record.end;
  }
  return records;
}

/** How many of the first `written` bytes of `records` are whole records. */
export function wholeRecordBytes(records: Buffer, written: number): number {
  let whole = 0;
  while (whole + FRAME_BYTES <= written) {
    const end = whole + FRAME_BYTES + records.readUInt32BE(whole);
    if (end > written) break;
    whole = end;
  }
  return whole;
}

function recordAt(bytes: Buffer, start: number): ScannedRecord | undefined {
  if (start + FRAME_BYTES > bytes.length) return undefined;
  const length = bytes.readUInt32BE(start);
  const end = start + FRAME_BYTES + length;
  if (length === 0 || length > MAX_VALUE_BYTES || end > bytes.length) return undefined;
  const value = bytes.subarray(start + FRAME_BYTES, end);
  if (crc32(value) !== bytes.readUInt32BE(start + 4)) return undefined;
  return { start, end, value, isIntact: true };
}

function damagedAt(bytes: Buffer, start: number, isFinal: boolean): ScannedRecord | undefined {
  const end = nextRecordStart(bytes, start + 1) ?? endOfDamage(bytes, start, isFinal);
  return end === undefined ? undefined : { start, end, value: bytes.subarray(start, end), isIntact: false };
}

function nextRecordStart(bytes: Buffer, from: number): number | undefined {
  let at = bytes.indexOf(0, from);
  while (at !== -1) {
    if (recordAt(bytes, at) !== undefined) return at;
    at = bytes.indexOf(0, at + 1);
  }
  return undefined;
}

function endOfDamage(bytes: Buffer, start: number, isFinal: boolean): number | undefined {
  if (isFinal) return bytes.length;
  // A record may begin in the last bytes of a full chunk; it is looked at again with what follows.
  return bytes.length - start >= CHUNK_BYTES ? bytes.length - MAX_RECORD_BYTES : undefined;
}
