import { aTopicName, sharedKafka } from '@tollgate/testing/kafka';
import { until } from '@tollgate/testing/until';
import kafkajs from 'kafkajs';
import type { KafkaConnection } from '../../src/kafka/kafka-client.js';
import { createKafkaTopics, readKafkaTopics } from '../../src/kafka/kafka-topics.js';

export interface TestTopic {
  connection: KafkaConnection;
  topic: string;
  /** Deletes it and makes it again, under the same name. */
  makeAnew(): Promise<void>;
  close(): Promise<void>;
}

/** A topic of one test, in the Kafka that all share unless another is named. */
export async function aTopic(options: { partitions?: number; connection?: KafkaConnection } = {}): Promise<TestTopic> {
  const connection = options.connection ?? (await sharedKafka());
  const topic = aTopicName();
  const make = () =>
    createKafkaTopics(connection, [topic], {
      partitions: options.partitions ?? 1,
      replicationFactor: 1,
      retentionMs: 86_400_000,
    });
  // The coordinators of a Kafka that has only just started are still loading.
  await until(async () => (await make()) && true, 60_000, 'making a topic');
  const remove = async () => {
    const admin = new kafkajs.Kafka({ brokers: [...connection.brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] }).finally(() => admin.disconnect());
    await until(async () => (await readKafkaTopics(connection, [topic]))[0]?.id === undefined, 30_000, 'the end of a topic');
  };
  return {
    connection,
    topic,
    makeAnew: async () => {
      await remove();
      await make();
    },
    close: () => remove().catch(() => {}),
  };
}
