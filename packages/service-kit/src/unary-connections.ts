/** The connections of the unary server: an end for idle ones, for old ones and for dead ones, and for all when it closes. */

import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Http2Connection } from './http2/http2-connection.js';

export interface ConnectionTimes {
  /** A connection without a call for so long is closed. */
  maxConnectionIdleMs: number;
  /** A connection of this age is closed when its calls are done; undefined: never. */
  maxConnectionAgeMs: number | undefined;
  /** How often a silent peer is asked whether it lives. */
  keepaliveTimeMs: number;
  keepaliveTimeoutMs: number;
}

export interface Connections {
  add(socket: Socket, connection: Http2Connection): void;
  /** Takes no more calls, and destroys what is left after the grace time. */
  close(graceMs: number): Promise<void>;
}

/** Spread, so that connections that began together do not end together. */
const AGE_JITTER = 0.1;
const IDLE_LOOKS = 4;

export function watchConnections(times: ConnectionTimes): Connections {
  const connections = new Set<Http2Connection>();
  let isClosing = false;
  return {
    add(socket, connection) {
      connections.add(connection);
      const stop = watchOne(connection, times);
      socket.once('close', () => {
        stop();
        connections.delete(connection);
      });
      if (isClosing) connection.close();
    },
    async close(graceMs) {
      isClosing = true;
      for (const connection of connections) connection.close();
      const endMs = performance.now() + graceMs;
      while (connections.size > 0 && performance.now() < endMs) await delay(Math.min(10, graceMs));
      for (const connection of connections) connection.destroy();
    },
  };
}

/** Returns what ends the watching. `close` of a connection lets the calls under way end, and then the connection. */
function watchOne(connection: Http2Connection, times: ConnectionTimes): () => void {
  const { maxConnectionIdleMs, maxConnectionAgeMs, keepaliveTimeMs, keepaliveTimeoutMs } = times;
  // Not a timeout of the socket: the pings would keep every connection busy.
  const idle = setInterval(() => {
    if (performance.now() - connection.lastCallMs >= maxConnectionIdleMs) connection.close();
  }, maxConnectionIdleMs / IDLE_LOOKS).unref();
  const ageMs = maxConnectionAgeMs === undefined ? undefined : maxConnectionAgeMs * (1 + (Math.random() - 0.5) * 2 * AGE_JITTER);
  const age = ageMs === undefined ? undefined : setTimeout(() => connection.close(), ageMs).unref();
  let impatience: NodeJS.Timeout | undefined;
  const keepalive = setInterval(() => {
    if (impatience !== undefined) return; // It has not answered the last one yet.
    impatience = setTimeout(() => connection.destroy(), keepaliveTimeoutMs).unref();
    connection.ping(() => {
      clearTimeout(impatience);
      impatience = undefined;
    });
  }, keepaliveTimeMs).unref();
  return () => {
    clearInterval(idle);
    clearTimeout(age);
    clearInterval(keepalive);
    clearTimeout(impatience);
  };
}
