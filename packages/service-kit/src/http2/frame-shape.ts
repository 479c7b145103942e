import { broken, ConnectionError, ERROR, FLAG, TYPE } from './frames.js';

interface Shape {
  /** Whether it is of one call, or of the whole connection; either, if not given. */
  isOfCall?: boolean;
  /** Bytes of its payload, or a multiple of them. */
  bytes?: number;
  each?: number;
}

/** By type; RFC 9113, section 6. */
const SHAPES: readonly Shape[] = [
  { isOfCall: true }, // data
  { isOfCall: true }, // headers
  { isOfCall: true, bytes: 5 }, // priority
  { isOfCall: true, bytes: 4 }, // reset
  { isOfCall: false, each: 6 }, // settings
  { isOfCall: true }, // push promise
  { isOfCall: false, bytes: 8 }, // ping
  { isOfCall: false }, // goaway
  { bytes: 4 }, // window update
  { isOfCall: true }, // continuation
];

/** Throws a ConnectionError for a frame of the wrong size, or one that stands where it may not. */
export function checkShape(type: number, flags: number, stream: number, payloadBytes: number): void {
  const shape = SHAPES[type];
  if (shape === undefined) return; // What nobody knows is nobody's business (RFC 9113, section 5.5).
  const { isOfCall, bytes, each } = shape;
  if (isOfCall !== undefined && isOfCall !== (stream !== 0)) {
    throw broken(`a frame of type ${type} on stream ${stream}`);
  }
  const isAck = type === TYPE.settings && (flags & FLAG.ack) !== 0;
  if (
    (bytes !== undefined && payloadBytes !== bytes) ||
    (each !== undefined && payloadBytes % each !== 0) ||
    (isAck && payloadBytes > 0)
  ) {
    throw new ConnectionError(ERROR.frameSize, `a frame of type ${type} of ${payloadBytes} bytes`);
  }
}
