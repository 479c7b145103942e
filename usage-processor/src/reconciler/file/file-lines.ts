import { hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** Whole lines, without their ends, and where the next one begins. */
export interface LineBatch {
  lines: string[];
  nextOffset: number;
}

/**
 * At a time: parsing it keeps a thread busy for some milliseconds. No line of the file log is longer than a few kilobytes:
 * what has no end for so long is none.
 */
const CHUNK_BYTES = 1 << 18;
const MAX_FIRST_LINE_BYTES = 16_384;
const NEWLINE = 10;

/**
 * Names a log by its first line, which holds the id of a request: renamed or copied, it is the same log, and emptied or
 * made anew another one. Undefined as long as it has no whole line.
 */
export async function fileIdOf(file: FileHandle): Promise<string | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_FIRST_LINE_BYTES), 0, MAX_FIRST_LINE_BYTES, 0);
  const end = buffer.subarray(0, bytesRead).indexOf(NEWLINE);
  if (end === -1 && bytesRead < MAX_FIRST_LINE_BYTES) return undefined;
  return hash('sha256', buffer.subarray(0, end === -1 ? bytesRead : end), 'hex');
}

/** The whole lines from `offset` on, up to `endOffset` or the last line that has an end. Bytes that are no UTF-8 cost their characters. */
export async function* linesFrom(file: FileHandle, offset: number, endOffset = Infinity): AsyncGenerator<LineBatch> {
  let nextOffset = offset;
  while (nextOffset < endOffset) {
    const wanted = Math.min(CHUNK_BYTES, endOffset - nextOffset);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(wanted), 0, wanted, nextOffset);
    const end = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (end === -1 && bytesRead < CHUNK_BYTES) return;
    const whole = end === -1 ? bytesRead : end;
    nextOffset += end === -1 ? bytesRead : end + 1;
    yield { lines: buffer.toString('utf8', 0, whole).split('\n'), nextOffset };
  }
}
