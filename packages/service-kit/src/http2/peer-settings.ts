import { broken, ConnectionError, ERROR, MAX_FRAME_BYTES, MAX_WINDOW_BYTES, SETTING } from './frames.js';

const SETTING_BYTES = 6;
const LARGEST_FRAME_BYTES = 2 ** 24 - 1;

/**
 * Checks the payload of a SETTINGS frame (RFC 9113, section 6.5.2), and returns the initial window of streams where it says
 * one. The rest does not matter to us: our headers need no table, and our frames are never longer than every peer must take.
 */
export function initialWindowIn(bytes: Buffer, start: number, end: number): number | undefined {
  let window: number | undefined;
  for (let at = start; at < end; at += SETTING_BYTES) {
    const id = bytes.readUInt16BE(at);
    const value = bytes.readUInt32BE(at + 2);
    if (id === SETTING.enablePush && value > 1) throw broken('neither to push nor not to');
    if (id === SETTING.maxFrameSize && (value < MAX_FRAME_BYTES || value > LARGEST_FRAME_BYTES)) {
      throw broken(`frames of ${value} bytes`);
    }
    if (id !== SETTING.initialWindowSize) continue;
    if (value > MAX_WINDOW_BYTES) throw new ConnectionError(ERROR.flowControl, `a window of ${value} bytes`);
    window = value;
  }
  return window;
}
