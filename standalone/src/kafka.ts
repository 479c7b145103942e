import type { StandaloneConfig } from './config.js';
import { Unavailable } from './unavailable.js';

/** Makes the topics of usage that are missing, as it migrates databases; nothing where there is no Kafka. */
export async function prepareKafka(
  { kafka, kafkaTopic, kafkaPartitions, kafkaReplication, kafkaRetentionMs }: StandaloneConfig,
  progress: (line: string) => void,
): Promise<void> {
  if (kafka === undefined) return;
  const { createKafkaTopics, usageTopics } = await import('@tollgate/event-log/kafka/kafka-topics');
  try {
    const made = await createKafkaTopics(kafka, usageTopics(kafkaTopic), {
      partitions: kafkaPartitions,
      replicationFactor: kafkaReplication,
      retentionMs: kafkaRetentionMs,
    });
    if (made.length > 0) progress(`Kafka: made the topics ${made.join(' and ')}.`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Unavailable(`KAFKA_BROKERS: ${why}. Check that Kafka runs and that the setting names it.`);
  }
}
