/**
 * The seam between collecting usage and storing it: where events wait for the writer. `file/` stands behind it, and
 * later `kafka/`. Delivery is at least once, in order within a partition; the writer's table makes it once.
 */
import type { UsageEvent } from '@tollgate/domain/usage-event';

export interface EventLogWriter {
  /** Resolves when the events are as safe as this log's contract says; rejects with none of them promised. */
  append(events: readonly UsageEvent[]): Promise<void>;
  /** Waits for what is under way, makes it durable, and lets go of the log. */
  close(): Promise<void>;
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
   * Hands batches to `store` one at a time until `close`. A batch whose `store` rejects is read again after a pause that
   * grows to a bound; nothing is skipped. Rejects only where going on would skip: an offset out of range.
   */
  run(findOffset: FindOffset, store: (batch: LogBatch) => Promise<void>): Promise<void>;
  /** Events that wait, as far as the reader knows. */
  lag(): number;
  close(): Promise<void>;
}
