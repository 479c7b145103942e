import { withDeadline } from '@tollgate/service-kit/deadline';
import type { Admin, Kafka } from 'kafkajs';
import { type MetadataConnection, openMetadataConnection, type TopicFacts } from './topic-metadata.js';

export interface PartitionRange {
  /** The first offset that is still there, and the one that the next record will have. */
  low: bigint;
  high: bigint;
}

/** Asks a cluster about one topic. Connects when first asked, and anew after each failure. */
export interface TopicQuestions {
  /** Throws {@link TopicMissing} where there is no such topic. */
  facts(): Promise<TopicFacts>;
  ranges(): Promise<ReadonlyMap<number, PartitionRange>>;
  close(): Promise<void>;
}

export class TopicMissing extends Error {}

const CLOSE_DEADLINE_MS = 2000;

export function createTopicQuestions(kafka: Kafka, topic: string, deadlineMs: number): TopicQuestions {
  const metadata = connected<MetadataConnection>(
    () => openMetadataConnection(kafka),
    (connection) => connection.close(),
  );
  const admin = connected<Admin>(
    async () => {
      const opened = kafka.admin();
      await opened.connect();
      return opened;
    },
    (opened) => opened.disconnect(),
  );
  const inTime = <Answer>(answer: Promise<Answer>) => withDeadline(answer, deadlineMs, 'asking Kafka about the topic');

  return {
    facts: async () => {
      const facts = await inTime(metadata.use((connection) => connection.ask(topic)));
      if (facts === undefined) throw new TopicMissing(`Kafka has no topic ${topic}: run tollgate migrate up`);
      return facts;
    },
    ranges: async () => {
      const offsets = await inTime(admin.use((opened) => opened.fetchTopicOffsets(topic)));
      return new Map(offsets.map(({ partition, low, high }) => [partition, { low: BigInt(low), high: BigInt(high) }]));
    },
    close: async () => {
      await Promise.allSettled([metadata.close(), admin.close()]);
    },
  };
}

/** One connection that is made when it is needed, and thrown away when a use of it failed. */
function connected<Connection>(open: () => Promise<Connection>, close: (connection: Connection) => Promise<void>) {
  let current: Promise<Connection> | undefined;
  const drop = async (dropped: Promise<Connection> | undefined) => {
    if (current === dropped) current = undefined;
    const closed = dropped?.then(close) ?? Promise.resolve();
    await withDeadline(closed, CLOSE_DEADLINE_MS, 'closing a connection').catch(() => {});
  };
  return {
    use: async <Answer>(ask: (connection: Connection) => Promise<Answer>): Promise<Answer> => {
      current ??= open();
      const used = current;
      try {
        return await ask(await used);
      } catch (error) {
        void drop(used);
        throw error;
      }
    },
    close: () => drop(current),
  };
}
