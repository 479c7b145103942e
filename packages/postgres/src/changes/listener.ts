import type pg from 'pg';
import { DatabaseUnavailable } from '../errors.js';
import { dropClient, openClient } from './deadline-client.js';

export interface ListenerOptions {
  url: string;
  applicationName: string;
  deadlineMs: number;
  /** How often the connection is asked for a sign of life, so that one that died silently does not count as listening. */
  checkEveryMs: number;
  /** Pause before the next attempt, with jitter. */
  retryAfterMs(): number;
  onNotify(): void;
  /** The listener began or ceased to listen. */
  onState(): void;
  onError(error: unknown): void;
}

export interface Listener {
  isListening(): boolean;
  close(): Promise<void>;
}

export const CHANNEL = 'tollgate_changes';

/** Keeps one connection on LISTEN, for as long as it is not closed. */
export function startListener(options: ListenerOptions): Listener {
  const closing = new AbortController();
  let isListening = false;
  const setListening = (now: boolean): void => {
    if (now === isListening) return;
    isListening = now;
    if (!closing.signal.aborted) options.onState();
  };

  const listenOnce = async (): Promise<void> => {
    let fail: () => void = () => {};
    const lost = new Promise<never>((_, reject) => {
      fail = () => reject(new DatabaseUnavailable('database unavailable: the listening connection ended', undefined));
    });
    lost.catch(() => {});
    const client = await openClient(options, fail);
    try {
      client.on('notification', options.onNotify);
      await client.query(`LISTEN ${CHANNEL}`);
      setListening(true);
      while (!closing.signal.aborted) {
        await Promise.race([pause(options.checkEveryMs, closing.signal), lost]);
        await Promise.race([checkIsAlive(client), lost]);
      }
    } finally {
      setListening(false);
      dropClient(client);
    }
  };

  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await listenOnce().catch((error) => {
        if (!closing.signal.aborted) options.onError(error);
      });
      await pause(options.retryAfterMs(), closing.signal);
    }
  };

  const ended = run();
  return {
    isListening: () => isListening,
    close: () => {
      closing.abort();
      return ended;
    },
  };
}

/** Resolves after this time, or at once when the signal says to stop. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

async function checkIsAlive(client: pg.Client): Promise<void> {
  await client.query('SELECT 1');
}
