/**
 * The bytes of ext_authz calls as Envoy sends them over HTTP/2, made once for a connection. A load generator with an HTTP/2
 * library would cost as much CPU as the service that it is to overload; this one writes and reads frames.
 */
import {
  DEFAULT_WINDOW_BYTES,
  FLAG,
  frame,
  HEAD_BYTES,
  MAX_WINDOW_BYTES,
  PREFACE,
  settingsFrame,
  TYPE,
  windowUpdateFrame,
} from '@tollgate/service-kit/http2/frames';

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

/** What came back: `accepted` is a decision for or against the caller, `shed` an `error_response`. */
export type AnswerKind = 'accepted' | 'shed' | 'other';

/** Begins a connection; with a window in which every answer has room. */
export const OPENING = Buffer.concat([PREFACE, settingsFrame([]), windowUpdateFrame(0, MAX_WINDOW_BYTES - DEFAULT_WINDOW_BYTES)]);
const STREAM_AT = 5;

const PATH = '/envoy.service.auth.v3.Authorization/Check';
const REQUEST_ID = '3d0a3b2e-5d3f-4f5e-9a51-2f1f4d7e8a10';
/** Static entries of HPACK (RFC 7541, appendix A). */
const METHOD_POST = 0x83;
const SCHEME_HTTP = 0x86;
const NAME = { authority: 1, path: 4, contentType: 31 } as const;

/** Headers of the first call of a connection: what is put into the table of HPACK, from which the others take it. */
export function firstHeaders(): Buffer {
  return Buffer.concat([
    Buffer.from([METHOD_POST, SCHEME_HTTP]),
    indexing(NAME.path, PATH),
    indexing(NAME.authority, 'authz'),
    indexing('te', 'trailers'),
    indexing(NAME.contentType, 'application/grpc'),
    indexing('grpc-timeout', '500m'),
    indexing('x-request-id', REQUEST_ID),
  ]);
}

/** Of all others: five entries of the table, the newest first from 62, and an id that differs each time. */
export function nextHeaders(): Buffer {
  const id = Buffer.concat([Buffer.from([0x0f, 62 - 15, REQUEST_ID.length]), Buffer.from(REQUEST_ID)]);
  return Buffer.concat([Buffer.from([METHOD_POST, SCHEME_HTTP, 0x80 | 67, 0x80 | 66, 0x80 | 65, 0x80 | 64, 0x80 | 63]), id]);
}

/** Calls that differ in their stream and their key only: a copy with both written over is the cheapest call there is. */
export interface CallTemplate {
  bytes: Buffer;
  /** The first so many are the frame of headers, the others that of the message. */
  headersBytes: number;
  keyAt: number;
}

/** `message` is a CheckRequest that holds `key`. */
export function callTemplate(headers: Buffer, message: Buffer, key: string): CallTemplate {
  const first = frame(TYPE.headers, FLAG.endHeaders, 0, headers);
  const body = Buffer.concat([Buffer.from([0]), uint32(message.length), message]);
  const bytes = Buffer.concat([first, frame(TYPE.data, FLAG.endStream, 0, body)]);
  return { bytes, headersBytes: first.length, keyAt: bytes.indexOf(key, first.length) };
}

/** `key` must be as long as the template's. */
export function callFrames({ bytes, headersBytes, keyAt }: CallTemplate, stream: number, key: Buffer): Buffer {
  const frames = Buffer.allocUnsafe(bytes.length);
  bytes.copy(frames);
  frames.writeUInt32BE(stream, STREAM_AT);
  frames.writeUInt32BE(stream, headersBytes + STREAM_AT);
  key.copy(frames, keyAt);
  return frames;
}

/** Takes pieces of a stream of bytes and hands on each frame when it is whole. */
export function frameReader(onFrame: (frame: Frame) => void): (piece: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (piece) => {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let at = 0;
    while (bytes.length - at >= HEAD_BYTES) {
      const end = at + HEAD_BYTES + bytes.readUIntBE(at, 3);
      if (bytes.length < end) break;
      const [type, flags] = [bytes[at + 3] as number, bytes[at + 4] as number];
      onFrame({ type, flags, stream: bytes.readUInt32BE(at + STREAM_AT), payload: bytes.subarray(at + HEAD_BYTES, end) });
      at = end;
    }
    rest = bytes.subarray(at);
  };
}

/** Tags of CheckResponse's oneof; before it comes `status`, tag 0x0a. */
const KINDS: Readonly<Record<number, AnswerKind>> = { 18: 'accepted', 26: 'accepted', 42: 'shed' };

/** Of a frame of data that holds a whole answer. */
export function answerKind(payload: Buffer): AnswerKind {
  const message = payload.subarray(5);
  const at = message[0] === 0x0a ? 2 + (message[1] ?? 0) : 0;
  return KINDS[message[at] ?? 0] ?? 'other';
}

/** "Literal with incremental indexing"; a name is an entry of the static table, or a text. */
function indexing(name: number | string, value: string): Buffer {
  const named = typeof name === 'number' ? Buffer.from([0x40 | name]) : Buffer.concat([Buffer.from([0x40]), text(name)]);
  return Buffer.concat([named, text(value)]);
}

/** Without Huffman's code, and shorter than the 127 bytes that one byte of length can tell. */
function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
