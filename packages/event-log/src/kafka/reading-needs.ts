import type { Kafka } from 'kafkajs';
import type { FindOffset, LogBatch } from '../event-log.js';
import type { KafkaConnection } from './kafka-client.js';
import type { Places } from './places.js';
import type { TopicQuestions } from './topic-questions.js';

export interface KafkaEventLogReaderOptions {
  connection: KafkaConnection;
  topic: string;
  /** Readers of one group share the partitions. */
  group: string;
  /** Records in a batch at most. Default 5000. */
  maxBatch?: number;
  /** Partitions that are stored at once. Default 2: one batch is read and judged while the database keeps another. */
  maxConcurrent?: number;
  /** The pause after a rejected store, or after trouble with Kafka, doubles from 100 ms up to this. Default 5000. */
  maxPauseMs?: number;
  /**
   * After how long without a word Kafka gives the partitions of this reader to others. Default 10,000: so long nobody reads when
   * a reader was killed, and also when Kafka was, since the group then waits for members that are readers anew by now.
   */
  sessionMs?: number;
  /** Learns why reading paused. */
  onProblem?: (problem: string, error: unknown) => void;
}

export type ReaderSettings = Required<KafkaEventLogReaderOptions>;

export const FIRST_PAUSE_MS = 100;

/** What the parts of reading share. */
export interface ReadingNeeds {
  settings: ReaderSettings;
  kafka: Kafka;
  questions: TopicQuestions;
  places: Places;
  closing: AbortSignal;
  /** Ends early when the reader closes. */
  rest(ms: number): Promise<void>;
  findOffset: FindOffset;
  store(batch: LogBatch): Promise<void>;
  /** Told when Kafka works again. */
  wentWell(): void;
}
