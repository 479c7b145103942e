/** A peer that sends the bytes it is told to, and shows the frames that come back. */
import { connect } from 'node:net';
import { until } from '@tollgate/testing/until';
import { encodeHeaders } from '../../src/http2/encode-headers.js';
import { FLAG, frame, HEAD_BYTES, PREFACE, settingsFrame, TYPE } from '../../src/http2/frames.js';

export interface Received {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

export interface RawClient {
  send(...bytes: Uint8Array[]): void;
  received: Received[];
  /** The first frame of this type, on this stream if one is named. */
  frame(type: number, stream?: number): Promise<Received>;
  /** How many pieces of the socket have come. */
  pieces(): number;
  closed(): Promise<true>;
  /** Does not read what comes until `resume`. */
  pause(): void;
  resume(): void;
  /** What was sent has left this process. */
  isTaken(): boolean;
  destroy(): void;
}

const WAIT_MS = 5_000;

export const EMPTY = Buffer.alloc(0);
export const OPENING = Buffer.concat([PREFACE, settingsFrame([])]);
export const HEAD: readonly (readonly [string, string])[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/test.Echo/Echo'],
  [':authority', 'test'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
];

/** The beginning of a call; its message follows. */
export function head(stream: number, fields = HEAD, flags: number = FLAG.endHeaders): Buffer {
  return frame(TYPE.headers, flags, stream, encodeHeaders(fields));
}

/** A gRPC message in one frame, the last of its call. */
export function message(stream: number, text: string, flags: number = FLAG.endStream): Buffer {
  const body = Buffer.from(text);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  return frame(TYPE.data, flags, stream, Buffer.concat([prefix, body]));
}

export async function openRawClient(address: string): Promise<RawClient> {
  const [host, port] = address.split(':') as [string, string];
  const socket = connect({ host, port: Number(port) });
  const received: Received[] = [];
  let pieces = 0;
  let isClosed = false;
  let rest: Buffer = EMPTY;
  socket.on('data', (piece: Buffer) => {
    pieces++;
    rest = Buffer.concat([rest, piece]);
    while (rest.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + rest.readUIntBE(0, 3);
      if (rest.length < end) break;
      const [type, flags] = [rest[3] as number, rest[4] as number];
      received.push({ type, flags, stream: rest.readUInt32BE(5), payload: rest.subarray(HEAD_BYTES, end) });
      rest = rest.subarray(end);
    }
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    isClosed = true;
  });
  await new Promise((connected) => socket.once('connect', connected));
  return {
    received,
    send: (...bytes) => void socket.write(Buffer.concat(bytes)),
    frame: (type, stream) =>
      until(
        async () => received.find((each) => each.type === type && (stream === undefined || each.stream === stream)),
        WAIT_MS,
        `a frame of type ${type}`,
      ),
    pieces: () => pieces,
    closed: () => until(async () => isClosed || undefined, WAIT_MS, 'the end of the connection') as Promise<true>,
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    isTaken: () => socket.writableLength < 1 << 20,
    destroy: () => socket.destroy(),
  };
}
