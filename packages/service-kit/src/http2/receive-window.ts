import { ConnectionError, ERROR } from './frames.js';

/** What a peer may send of bodies, over all its calls, until room is given again. */
export interface ReceiveWindow {
  /** Throws a ConnectionError where there was no room for these bytes. */
  take(bytes: number): void;
  /** These need no room any more. */
  giveBack(bytes: number): void;
}

/** `onRoom` tells the peer: seldom, when a quarter of the window was used. */
export function createReceiveWindow(windowBytes: number, onRoom: (bytes: number) => void): ReceiveWindow {
  let room = windowBytes;
  let unused = 0;
  return {
    take(bytes) {
      room -= bytes;
      if (room < 0) throw new ConnectionError(ERROR.flowControl, 'more than there is room for');
    },
    giveBack(bytes) {
      unused += bytes;
      if (unused < windowBytes / 4) return;
      room += unused;
      onRoom(unused);
      unused = 0;
    },
  };
}
