import { broken, ConnectionError, ERROR, FLAG } from './frames.js';
import type { HeaderField } from './header-field.js';
import { createHpackDecoder } from './hpack-decoder.js';

export interface HeaderBlock {
  stream: number;
  isEnd: boolean;
  fields: readonly HeaderField[];
}

/** Puts together the header blocks of one connection and decodes them: each, for their coding goes on from block to block. */
export interface HeaderBlocks {
  /** A frame of headers; the block if it is whole, or else undefined. */
  begin(flags: number, stream: number, bytes: Buffer, start: number, end: number): HeaderBlock | undefined;
  /** The next frame of the block that was begun. */
  goOn(flags: number, stream: number, bytes: Buffer, start: number, end: number): HeaderBlock | undefined;
  /** Between the frames of a block no other may come. */
  isUnfinished(): boolean;
}

/** Names and values of one block, decoded; and its bytes before that. */
const MAX_BLOCK_BYTES = 65_536;
/** A dependency and a weight, which nobody heeds any more (RFC 9113, section 5.3.2). */
const PRIORITY_BYTES = 5;

export { MAX_BLOCK_BYTES as MAX_HEADER_BYTES };

export function createHeaderBlocks(): HeaderBlocks {
  const decoder = createHpackDecoder(MAX_BLOCK_BYTES);
  let unfinished: { stream: number; isEnd: boolean; pieces: Buffer[]; bytes: number } | undefined;

  const block = (stream: number, isEnd: boolean, bytes: Buffer, start: number, end: number): HeaderBlock => ({
    stream,
    isEnd,
    fields: decoder.decode(bytes, start, end),
  });

  return {
    isUnfinished: () => unfinished !== undefined,
    begin(flags, stream, bytes, start, end) {
      const from = start + headOf(flags);
      const until = end - paddingOf(flags, bytes, start, end);
      if (from > until) throw broken('more padding than there is frame');
      const isEnd = (flags & FLAG.endStream) !== 0;
      if ((flags & FLAG.endHeaders) !== 0) return block(stream, isEnd, bytes, from, until);
      unfinished = { stream, isEnd, pieces: [bytes.subarray(from, until)], bytes: until - from };
      return undefined;
    },
    goOn(flags, stream, bytes, start, end) {
      if (unfinished === undefined || stream !== unfinished.stream) {
        throw broken('headers go on that had not begun');
      }
      unfinished.pieces.push(bytes.subarray(start, end));
      // A frame may be empty: each counts for something, so that they cannot go on for ever.
      unfinished.bytes += Math.max(1, end - start);
      if (unfinished.bytes > MAX_BLOCK_BYTES) throw new ConnectionError(ERROR.enhanceYourCalm, 'headers without an end');
      if ((flags & FLAG.endHeaders) === 0) return undefined;
      const whole = Buffer.concat(unfinished.pieces);
      const { isEnd } = unfinished;
      unfinished = undefined;
      return block(stream, isEnd, whole, 0, whole.length);
    },
  };
}

/** What stands before the block: the length of the padding, and a priority. */
function headOf(flags: number): number {
  return ((flags & FLAG.padded) !== 0 ? 1 : 0) + ((flags & FLAG.priority) !== 0 ? PRIORITY_BYTES : 0);
}

/** The padding at the end of a frame of headers or data. */
export function paddingOf(flags: number, bytes: Buffer, start: number, end: number): number {
  if ((flags & FLAG.padded) === 0) return 0;
  if (start >= end) throw new ConnectionError(ERROR.frameSize, 'padding of no length');
  return bytes[start] as number;
}
