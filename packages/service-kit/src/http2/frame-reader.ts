import { checkShape } from './frame-shape.js';
import { broken, ConnectionError, ERROR, HEAD_BYTES, MAX_FRAME_BYTES, PREFACE, TYPE } from './frames.js';

/** `start` to `end` of `bytes` is the payload; it is not copied, and stays as it is. */
export type OnFrame = (type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number) => void;

const FLAGS_AT = 4;
const STREAM_AT = 5;

/**
 * Takes the pieces of a connection as they come, and hands on each frame once it is whole and of the right shape. Throws a
 * ConnectionError where this is no HTTP/2.
 */
export function createFrameReader(onFrame: OnFrame): (piece: Buffer) => void {
  let rest: Buffer | undefined;
  let hasBegun = false;
  let isFirst = true;

  function beginsRightly(bytes: Buffer): boolean {
    const length = Math.min(bytes.length, PREFACE.length);
    if (bytes.compare(PREFACE, 0, length, 0, length) !== 0) throw broken('this is no HTTP/2');
    return length === PREFACE.length;
  }

  function checkHead(type: number, payloadBytes: number): void {
    if (isFirst && type !== TYPE.settings) throw broken('the first frame is none of settings');
    isFirst = false;
    if (payloadBytes > MAX_FRAME_BYTES) throw new ConnectionError(ERROR.frameSize, `a frame of ${payloadBytes} bytes`);
  }

  return (piece) => {
    const bytes = rest === undefined ? piece : Buffer.concat([rest, piece]);
    rest = undefined;
    let at = 0;
    if (!hasBegun) {
      if (!beginsRightly(bytes)) {
        rest = bytes;
        return;
      }
      hasBegun = true;
      at = PREFACE.length;
    }
    while (bytes.length - at >= HEAD_BYTES) {
      const payloadBytes = bytes.readUIntBE(at, 3);
      const type = bytes[at + 3] as number;
      checkHead(type, payloadBytes);
      const start = at + HEAD_BYTES;
      const end = start + payloadBytes;
      if (bytes.length < end) break;
      at = end;
      const flags = bytes[start - HEAD_BYTES + FLAGS_AT] as number;
      const stream = bytes.readUInt32BE(start - HEAD_BYTES + STREAM_AT) & 0x7fffffff;
      checkShape(type, flags, stream, payloadBytes);
      onFrame(type, flags, stream, bytes, start, end);
    }
    if (at < bytes.length) rest = bytes.subarray(at);
  };
}
