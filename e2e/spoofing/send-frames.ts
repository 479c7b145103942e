import { createConnection } from 'node:net';
import { type Reply, statusAndCode } from './send-http1.js';
import type { Fields, Request } from './spoofing-case.js';

/** HTTP/2 frame by frame, without the care of a library: names and values are sent as they are, in whatever order. */

const DEADLINE_MS = 5_000;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const TYPE = { data: 0, headers: 1, reset: 3, settings: 4, goaway: 7, continuation: 9 } as const;
const FLAG = { ack: 1, endStream: 1, endHeaders: 4 } as const;
const STREAM = 1;

export function sendFrames(gatewayUrl: string, request: Extract<Request, { over: 'frames' }>): Promise<Reply> {
  const { hostname, port } = new URL(gatewayUrl);
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    let status: string | undefined;
    let text = '';
    const socket = createConnection({ host: hostname, port: Number(port) }, () => socket.write(framesOf(request)));
    const settle = (ending: string) => {
      socket.destroy();
      resolve({ seen: status === undefined ? ending : statusAndCode(status, text), text });
    };
    const take = ({ type, flags, payload }: Frame) => {
      if (type === TYPE.settings && (flags & FLAG.ack) === 0) socket.write(frame(TYPE.settings, FLAG.ack, 0, Buffer.alloc(0)));
      if (type === TYPE.headers) status ??= statusIn(payload);
      if (type === TYPE.data) text += payload.toString('latin1');
      if (type === TYPE.reset) settle('refused');
      if (type === TYPE.goaway) settle('refused');
      if ((type === TYPE.headers || type === TYPE.data) && (flags & FLAG.endStream) !== 0) settle('ended');
    };
    socket.setTimeout(DEADLINE_MS, () => settle('silence'));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      for (let next = firstFrame(received); next !== undefined; next = firstFrame(received)) {
        received = received.subarray(next.length);
        take(next);
      }
    });
    socket.on('error', () => settle('refused'));
    socket.on('close', () => settle('refused'));
  });
}

function framesOf({ headers, data, trailers, areSplit }: Extract<Request, { over: 'frames' }>): Buffer {
  const block = headerBlock(headers);
  const endsHere = data === undefined && trailers === undefined ? FLAG.endStream : 0;
  const parts = [Buffer.from(PREFACE), frame(TYPE.settings, 0, 0, Buffer.alloc(0))];
  if (areSplit === true) {
    const middle = block.length >> 1;
    parts.push(frame(TYPE.headers, endsHere, STREAM, block.subarray(0, middle)));
    parts.push(frame(TYPE.continuation, FLAG.endHeaders, STREAM, block.subarray(middle)));
  } else {
    parts.push(frame(TYPE.headers, FLAG.endHeaders | endsHere, STREAM, block));
  }
  const isLast = trailers === undefined ? FLAG.endStream : 0;
  if (data !== undefined) parts.push(frame(TYPE.data, isLast, STREAM, Buffer.from(data, 'latin1')));
  if (trailers !== undefined) parts.push(frame(TYPE.headers, FLAG.endHeaders | FLAG.endStream, STREAM, headerBlock(trailers)));
  return Buffer.concat(parts);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

interface Frame {
  type: number;
  flags: number;
  payload: Buffer;
  /** With its head. */
  length: number;
}

function firstFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 9) return undefined;
  const length = 9 + bytes.readUIntBE(0, 3);
  if (bytes.length < length) return undefined;
  return { type: bytes.readUInt8(3), flags: bytes.readUInt8(4), payload: bytes.subarray(9, length), length };
}

/** HPACK at its simplest: every field a literal that is not indexed, without Huffman. */
function headerBlock(fields: Fields): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

const STATIC_STATUS = ['200', '204', '206', '304', '400', '404', '500'];
/** Huffman's codes of the digits in HPACK. */
const DIGITS = new Map(
  ['00000', '00001', '00010', '011001', '011010', '011011', '011100', '011101', '011110', '011111'].map((code, digit) => [
    code,
    String(digit),
  ]),
);

/** `:status`, which is the first field of every answer. */
function statusIn(block: Buffer): string {
  const [first = 0, second = 0] = block;
  // The size of a table that nobody uses here may be told first.
  if ((first & 0xe0) === 0x20) return statusIn(block.subarray(1));
  if ((first & 0x80) !== 0) return STATIC_STATUS[(first & 0x7f) - 8] ?? 'unknown';
  const value = block.subarray(2, 2 + (second & 0x7f));
  return (second & 0x80) === 0 ? value.toString('latin1') : huffmanDigits(value);
}

function huffmanDigits(bytes: Buffer): string {
  let digits = '';
  let code = '';
  for (const bit of [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')) {
    code += bit;
    const digit = DIGITS.get(code);
    if (digit === undefined) continue;
    digits += digit;
    code = '';
  }
  return digits;
}
