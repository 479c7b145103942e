/**
 * The seam between collecting usage and storing it: where events wait for the writer. `file/` and `kafka/` stand behind
 * it. Delivery is at least once, in order within a partition; the writer's table makes it once.
 */
import type { UsageEvent } from '@tollgate/domain/usage-event';

export interface EventLogWriter {
  /**
   * Resolves when the events are as safe as this log's contract says. Rejects with none of them promised, though some may
   * be there: append all of them again. A log without room rejects with {@link EventLogFull}.
   */
  append(events: readonly UsageEvent[]): Promise<void>;
  /** Waits for what is under way, makes it durable, and lets go of the log. */
  close(): Promise<void>;
}

/** Appends values as they are, such as those that another log kept. Promises what {@link EventLogWriter} does. */
export interface RawEventLogWriter {
  appendRaw(values: readonly Buffer[]): Promise<void>;
}

export interface LogRecord {
  offset: bigint;
  /** The raw bytes as they were appended: a reader judges them, since a log holds what strangers sent. */
  value: Buffer;
}

/** What a reader hands on at a time: records of one partition in order, without gaps that it knows of. */
export interface LogBatch {
  /** Names this very log: one that was made anew has another id, and offsets of the old one mean nothing in it. */
  logId: string;
  topic: string;
  partition: number;
  records: readonly LogRecord[];
  /** Of the first record, or where reading began. */
  startOffset: bigint;
  /** Where reading goes on. */
  nextOffset: bigint;
}

/** The offset that the database holds for this log, or undefined to read from the beginning. */
export type FindOffset = (logId: string, topic: string, partition: number) => Promise<bigint | undefined>;

export interface EventLogReader {
  /**
   * Hands batches to `store` until `close`, one at a time for each partition; those of several partitions may be stored at
   * once, and another reader of the group may take a partition over at any moment, so `store` must refuse a batch that
   * begins before the kept offset. Where `store` rejects, `findOffset` is asked again after a pause that grows to a bound,
   * and reading goes on from there: the rejection may have hidden a commit, or another owner went further. A `findOffset`
   * that rejects is asked again likewise. Nothing is skipped: rejects with {@link OffsetOutOfRange} where going on would.
   */
  run(findOffset: FindOffset, store: (batch: LogBatch) => Promise<void>): Promise<void>;
  /** Events that wait, as far as the reader knows; an estimate where the log counts bytes. */
  lag(): number;
  /** Resolves when all that the log held at the time of the call is stored; rejects when `run` ends before that. */
  caughtUp(): Promise<void>;
  /** Ends `run` after the `store` under way. */
  close(): Promise<void>;
}

/** The log has no room left for events that nobody has read. */
export class EventLogFull extends Error {}

/** The database's offset is not in the log: what stood there is gone, or never was. A person must decide. */
export class OffsetOutOfRange extends Error {}
