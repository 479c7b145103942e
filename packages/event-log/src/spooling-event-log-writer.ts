/**
 * Appends to a log that may be away, such as Kafka, and to a file log, the spool, while it is: `append` resolves when the
 * events are in the one or the other. The spool is drained in order when the log is back, and until it is empty new events
 * go behind what is in it, so that the order in which they were appended holds. What a stop or a crash leaves in the spool
 * is drained after the next start. Delivery is at least once: what the log took without saying so comes again.
 */
import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { EventLogReader, EventLogWriter, LogBatch, RawEventLogWriter } from './event-log.js';
import { createFileEventLogReader } from './file/file-event-log-reader.js';
import { type FileEventLogWriter, openFileEventLogWriter } from './file/file-event-log-writer.js';
import { listSegments, openLogFolder, readConsumed } from './file/log-folder.js';

export interface SpoolingOptions {
  /** Where events belong. It is closed along with this. */
  log: EventLogWriter & RawEventLogWriter;
  /** Of the spool, which no other process may write. */
  folder: string;
  /** What the spool may hold before `append` rejects with EventLogFull. Default 1 GiB. */
  maxBytes?: number;
  /** How many events the log, or the spool, took just now. */
  count?: (stage: 'produced' | 'spooled', events: number) => void;
  onProblem?: (problem: string, error?: unknown) => void;
}

export interface SpoolDepth {
  bytes: number;
  /** Those that an earlier process left are estimated from their bytes. */
  events: number;
  /** From 0 to 1: how much of what it may hold. */
  share: number;
  /** Why the log is not written straight, or undefined where it is. */
  reason: string | undefined;
}

export interface SpoolingEventLogWriter extends EventLogWriter {
  depth(): SpoolDepth;
}

const GROUP = 'drain';
const DEFAULT_MAX_BYTES = 1 << 30;
const SEGMENT_BYTES = 16 << 20;
const POLL_MS = 250;
const MAX_PAUSE_MS = 1000;
const BATCH_EVENTS = 1000;
const TYPICAL_EVENT_BYTES = 450;
/** What a spool that is being drained still gets at the end. */
const DRAIN_DEADLINE_MS = 1500;
const LEFT_BEHIND = 'an earlier process left events in the spool';

/** Opens the spool; the log may come later. Throws EventLogInUse where another live process writes the spool. */
export async function openSpoolingEventLogWriter(options: SpoolingOptions): Promise<SpoolingEventLogWriter> {
  const { folder, maxBytes = DEFAULT_MAX_BYTES, onProblem = () => {} } = options;
  const tell = (problem: string, error?: unknown) => onProblem(`spool: ${problem}`, error);
  const spool = await openFileEventLogWriter({
    folder,
    maxUnreadBytes: maxBytes,
    segmentBytes: Math.min(SEGMENT_BYTES, Math.ceil(maxBytes / 8)),
    keepMs: 0,
    keepBytes: 0,
    onProblem: tell,
  });
  const logId = await openLogFolder(folder);
  const drained = (await readConsumed(folder, logId)) ?? (await listSegments(folder))[0] ?? 0n;
  const reader = createFileEventLogReader({
    folder,
    group: GROUP,
    pollMs: POLL_MS,
    maxPauseMs: MAX_PAUSE_MS,
    maxBatch: BATCH_EVENTS,
    onProblem: (problem, error) => tell(`draining: ${problem}`, error),
  });
  return spoolingWriter({ ...options, maxBytes, onProblem: tell }, spool, reader, drained);
}

function spoolingWriter(
  options: SpoolingOptions & { maxBytes: number; onProblem: (problem: string, error?: unknown) => void },
  spool: FileEventLogWriter,
  reader: EventLogReader,
  drainedAtStart: bigint,
): SpoolingEventLogWriter {
  const { log, maxBytes, count = () => {}, onProblem } = options;
  let drained = drainedAtStart;
  const waitingBytes = () => Number(spool.endOffset() - drained);
  let waitingEvents = Math.ceil(waitingBytes() / TYPICAL_EVENT_BYTES);
  /** Undefined while the log is written straight. */
  let reason = waitingBytes() > 0 ? LEFT_BEHIND : undefined;
  let isDraining = false;
  const straight = createTally();
  const spooled = createTally();
  let closing: Promise<void> | undefined;

  const appendToSpool = async (events: readonly UsageEvent[]): Promise<void> => {
    await spooled.during(spool.append(events));
    waitingEvents += events.length;
    count('spooled', events.length);
  };
  /** Returns what is left to wait for, in an object so that it is not waited for here. */
  const tryStraight = async (events: readonly UsageEvent[]): Promise<{ rest?: Promise<void> }> => {
    try {
      await log.append(events);
      count('produced', events.length);
      return {};
    } catch (error) {
      if (reason === undefined) onProblem('the log does not take events; they go to the spool', error);
      reason ??= error instanceof Error ? error.message : String(error);
      // At once, as the log refuses what waits for it in its order.
      return { rest: appendToSpool(events) };
    }
  };
  const append = async (events: readonly UsageEvent[]): Promise<void> => {
    if (reason === undefined) return (await straight.during(tryStraight(events))).rest;
    // Behind those that were appended before, and whose refusal is still to come.
    await straight.none();
    await appendToSpool(events);
  };
  const drain = async ({ records, nextOffset }: LogBatch): Promise<void> => {
    // Appends that went straight before may still arrive.
    await straight.none();
    isDraining = false;
    await log.appendRaw(records.map(({ value }) => value));
    isDraining = true;
    drained = nextOffset;
    waitingEvents = Math.max(0, waitingEvents - records.length);
    count('produced', records.length);
    if (spooled.isNone() && waitingBytes() === 0) {
      waitingEvents = 0;
      reason = undefined;
    }
  };
  const draining = reader
    .run(async () => drained, drain)
    .catch((error: unknown) => onProblem('draining has stopped: a part of the spool is missing', error));

  const close = async (): Promise<void> => {
    if (isDraining && waitingBytes() > 0) await soonEmpty(waitingBytes, DRAIN_DEADLINE_MS);
    // Rejects what the log has not taken by its deadline; that still goes to the spool.
    await log.close();
    await straight.none();
    await spooled.none();
    await reader.close();
    await draining;
    await spool.close();
  };
  return {
    append: (events) => {
      if (closing !== undefined) return Promise.reject(new Error('the event log is closed'));
      return append(events);
    },
    depth: () => ({ bytes: waitingBytes(), events: waitingEvents, share: waitingBytes() / maxBytes, reason }),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** Counts work under way, and waits until there is none. */
function createTally() {
  let underWay = 0;
  const waiting: (() => void)[] = [];
  return {
    during: async <Value>(work: Promise<Value>): Promise<Value> => {
      underWay += 1;
      try {
        return await work;
      } finally {
        underWay -= 1;
        if (underWay === 0) for (const wake of waiting.splice(0)) wake();
      }
    },
    isNone: () => underWay === 0,
    none: async (): Promise<void> => {
      while (underWay > 0) {
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
      }
    },
  };
}

async function soonEmpty(waitingBytes: () => number, deadlineMs: number): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (waitingBytes() > 0 && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 20));
}
