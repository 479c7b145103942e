/** The frames of HTTP/2 (RFC 9113, sections 4 and 6), as far as a server of short calls needs them. */

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export const ERROR = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
} as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const HEAD_BYTES = 9;
/** The largest payload of a frame, for both sides: nobody here asks for more than the protocol's least. */
export const MAX_FRAME_BYTES = 16_384;
/** Of a connection and a stream until somebody says otherwise. */
export const DEFAULT_WINDOW_BYTES = 65_535;
export const MAX_WINDOW_BYTES = 0x7fffffff;

/** The peer broke the protocol, so that nothing more can be understood: the connection ends with this code. */
export class ConnectionError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** Of a peer that breaks a rule which has no code of its own. */
export function broken(what: string): ConnectionError {
  return new ConnectionError(ERROR.protocol, what);
}

/** Writes the head of a frame at `at`. */
export function writeHead(out: Buffer, at: number, payloadBytes: number, type: number, flags: number, stream: number): void {
  out.writeUIntBE(payloadBytes, at, 3);
  out[at + 3] = type;
  out[at + 4] = flags;
  out.writeUInt32BE(stream, at + 5);
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  writeHead(bytes, 0, payload.length, type, flags, stream);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(settings.length * 6);
  settings.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  });
  return frame(TYPE.settings, 0, 0, payload);
}

export const SETTINGS_ACK = frame(TYPE.settings, FLAG.ack, 0, Buffer.alloc(0));

export function resetFrame(stream: number, code: number): Buffer {
  return frame(TYPE.reset, 0, stream, uint32(code));
}

export function windowUpdateFrame(stream: number, bytes: number): Buffer {
  return frame(TYPE.windowUpdate, 0, stream, uint32(bytes));
}

export function goawayFrame(lastStream: number, code: number): Buffer {
  return frame(TYPE.goaway, 0, 0, Buffer.concat([uint32(lastStream), uint32(code)]));
}

export function pingFrame(payload: Uint8Array, isAck: boolean): Buffer {
  return frame(TYPE.ping, isAck ? FLAG.ack : 0, 0, payload);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
