import type { Socket } from 'node:net';
import { nextTick } from 'node:process';

/** What goes out on a connection: all that one turn has to say leaves in one write. */
export interface Outbox {
  send(bytes: Buffer): void;
  /** Gathers what `work` sends, and writes it when that is done: what is answered at once leaves at once. */
  during(work: () => void): void;
  /** Writes what there is, and then the end; nothing is sent after that. */
  end(): void;
}

export function createOutbox(socket: Socket): Outbox {
  let pieces: Buffer[] = [];
  let bytes = 0;
  let isDue = false;
  let isEnding = false;

  function flush(): void {
    isDue = false;
    if (socket.destroyed) return;
    if (pieces.length > 0) {
      const all = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, bytes);
      pieces = [];
      bytes = 0;
      // Whoever does not read its answers is not read either, so that what waits here stays bounded.
      if (!socket.write(all)) socket.pause();
    }
    if (isEnding) socket.end();
  }

  function flushSoon(): void {
    if (isDue) return;
    isDue = true;
    nextTick(flush);
  }

  socket.on('drain', () => socket.resume());
  return {
    send(piece) {
      if (isEnding) return;
      pieces.push(piece);
      bytes += piece.length;
      flushSoon();
    },
    during(work) {
      isDue = true;
      try {
        work();
      } finally {
        flush();
      }
    },
    end() {
      isEnding = true;
      flushSoon();
    },
  };
}
