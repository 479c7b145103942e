/**
 * Tells caches what to forget. A listener (LISTEN) says that there is something new, a poll on a connection of its own reads
 * it, at once and every second anyway: a listener that died unnoticed costs at most two seconds.
 *
 * Every change is handed on before the feed counts as caught up. The first read hands on a `reload`, and so does a read
 * after an absence of more than an hour: what was cached before a gap that nobody watched is not to be trusted.
 */
import type { Change } from '@tollgate/domain/change';
import type pg from 'pg';
import { classified } from '../errors.js';
import { dropClient, openClient } from './deadline-client.js';
import { pause, startListener } from './listener.js';
import { type ReadPosition, readChanges } from './read-changes.js';

/**
 * How far what was cached may be trusted. `listening`: changes arrive at once. `polling`: within two seconds.
 * `unreachable`: nobody knows; see `caughtUpAtMs`.
 */
export type Trust = 'listening' | 'polling' | 'unreachable';

export interface ChangeFeedOptions {
  url: string;
  applicationName?: string;
  /**
   * Called for every change, in order. `atMs` is when it was written, by the database's clock (undefined of a reload that
   * the feed itself orders). What it throws makes the feed unreachable, and the change is handed on again.
   */
  onChange(change: Change, atMs: number | undefined): void;
  /** Called when the trust changes, after the changes that it rests on. */
  onTrust?(trust: Trust): void;
  /** Faults of the connections; the feed goes on by itself. */
  onError?(error: unknown): void;
  /** Unix milliseconds, monotonic enough to measure `MAX_STALE` with. */
  now?(): number;
  pollEveryMs?: number;
}

export interface ChangeFeed {
  trust(): Trust;
  /** Resolves when everything up to then was handed on for the first time. */
  caughtUp: Promise<void>;
  /** Everything committed before this moment (our clock) was handed on; 0 before the first read. */
  caughtUpAtMs(): number;
  /** Ends both connections; nothing is handed on after the call. */
  close(): Promise<void>;
}

const POLL_EVERY_MS = 1_000;
const DEADLINE_MS = 1_000;
const SHORTEST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 500;

/** Follows the changes until it is closed. It begins `unreachable`, and connects by itself. */
export function followChanges(options: ChangeFeedOptions): ChangeFeed {
  const { now = Date.now, pollEveryMs = POLL_EVERY_MS } = options;
  const connection = {
    url: options.url,
    applicationName: options.applicationName ?? 'tollgate-changes',
    deadlineMs: DEADLINE_MS,
  };
  const closing = new AbortController();
  let wake = new AbortController();
  let client: pg.Client | undefined;
  let position: ReadPosition | undefined;
  let trust: Trust = 'unreachable';
  let caughtUpAtMs = 0;

  let isCaughtUp = (): void => {};
  const firstCaughtUp = new Promise<void>((resolve) => {
    isCaughtUp = resolve;
  });

  const setTrust = (next: Trust): void => {
    if (next === trust || closing.signal.aborted) return;
    trust = next;
    options.onTrust?.(next);
  };
  const report = (error: unknown): void => options.onError?.(classified(error));
  const readNow = (): void => wake.abort();

  const forgetClient = (): void => {
    client = undefined;
    readNow();
  };

  const listener = startListener({
    ...connection,
    checkEveryMs: pollEveryMs,
    retryAfterMs,
    onNotify: readNow,
    onState: () => {
      if (trust === 'listening' && !listener.isListening()) setTrust('polling');
      // Also when it began: only a read that starts after LISTEN covers what was missed before.
      readNow();
    },
    onError: report,
  });

  const read = async (): Promise<void> => {
    const startedAtMs = now();
    const wasListening = listener.isListening();
    client ??= await openClient(connection, forgetClient);
    const found = await readChanges(client, position);
    if (closing.signal.aborted) return;
    for (const change of found.changes) options.onChange({ kind: change.kind, subject: change.subject }, change.atMs);
    position = found.position;
    caughtUpAtMs = startedAtMs;
    setTrust(wasListening && listener.isListening() ? 'listening' : 'polling');
    isCaughtUp();
  };

  const fail = (error: unknown): void => {
    if (client !== undefined) dropClient(client);
    client = undefined;
    if (closing.signal.aborted) return;
    setTrust('unreachable');
    report(error);
  };

  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      wake = new AbortController();
      const isRead = await read().then(
        () => true,
        (error) => {
          fail(error);
          return false;
        },
      );
      // Without an answer a notification must not shorten the pause, or a broken database is asked without end.
      await (isRead ? pause(pollEveryMs, wake.signal) : pause(retryAfterMs(), closing.signal));
    }
    if (client !== undefined) dropClient(client);
  };

  const ended = run();
  return {
    trust: () => trust,
    caughtUp: firstCaughtUp,
    caughtUpAtMs: () => caughtUpAtMs,
    close: async () => {
      closing.abort();
      readNow();
      await Promise.all([ended, listener.close()]);
    },
  };
}

function retryAfterMs(): number {
  return SHORTEST_RETRY_MS + Math.random() * (LONGEST_RETRY_MS - SHORTEST_RETRY_MS);
}
