/** The connections of the unary server: an end for idle ones, for old ones and for dead ones, and for all when it closes. */

import type { Http2Server, ServerHttp2Session } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';

export interface SessionOptions {
  /** A connection without a call for so long is closed. */
  maxConnectionIdleMs: number;
  /** A connection of this age is closed when its calls are done; undefined: never. */
  maxConnectionAgeMs: number | undefined;
  /** How often a silent peer is asked whether it lives. */
  keepaliveTimeMs: number;
  keepaliveTimeoutMs: number;
}

export interface Sessions {
  /** Takes no more calls, and destroys what is left after the grace time. */
  close(graceMs: number): Promise<void>;
}

/** Spread, so that connections that began together do not end together. */
const AGE_JITTER = 0.1;
const IDLE_LOOKS = 4;

export function watchSessions(server: Http2Server, options: SessionOptions): Sessions {
  const sessions = new Set<ServerHttp2Session>();
  let isClosing = false;

  server.on('session', (session) => {
    sessions.add(session);
    const stop = watchOne(session, options);
    session.on('error', () => {}); // A peer that breaks the protocol loses its connection, and nobody else anything.
    session.once('close', () => {
      stop();
      sessions.delete(session);
    });
    if (isClosing) session.close();
  });
  // Refused before a session begins.
  server.on('sessionError', () => {});

  return {
    async close(graceMs) {
      isClosing = true;
      for (const session of sessions) session.close();
      const endMs = performance.now() + graceMs;
      while (sessions.size > 0 && performance.now() < endMs) await delay(Math.min(10, graceMs));
      for (const session of sessions) session.destroy();
    },
  };
}

/** Returns what ends the watching. `close` of a session lets the calls under way end, and then the connection. */
function watchOne(session: ServerHttp2Session, options: SessionOptions): () => void {
  const { maxConnectionIdleMs, maxConnectionAgeMs, keepaliveTimeMs, keepaliveTimeoutMs } = options;
  let lastCallMs = performance.now();
  session.on('stream', () => {
    lastCallMs = performance.now();
  });
  // Not session.setTimeout: the pings would keep every connection busy.
  const idle = setInterval(() => {
    if (performance.now() - lastCallMs >= maxConnectionIdleMs) session.close();
  }, maxConnectionIdleMs / IDLE_LOOKS).unref();
  const ageMs = maxConnectionAgeMs === undefined ? undefined : maxConnectionAgeMs * (1 + (Math.random() - 0.5) * 2 * AGE_JITTER);
  const age = ageMs === undefined ? undefined : setTimeout(() => session.close(), ageMs).unref();
  const keepalive = setInterval(() => ping(session, keepaliveTimeoutMs), keepaliveTimeMs).unref();
  return () => {
    clearInterval(idle);
    clearTimeout(age);
    clearInterval(keepalive);
  };
}

function ping(session: ServerHttp2Session, timeoutMs: number): void {
  if (session.destroyed || session.closed) return;
  const impatience = setTimeout(() => session.destroy(), timeoutMs).unref();
  session.ping((error) => {
    if (error === null) clearTimeout(impatience);
  });
}
