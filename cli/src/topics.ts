import { CliError, EXIT } from './cli-error.js';
import type { CliConfig } from './config.js';
import type { MigrationRow } from './migration-view.js';

/** Makes the topics that are missing; returns their rows. None where there is no Kafka. */
export async function makeTopics(config: CliConfig): Promise<MigrationRow[]> {
  const { kafka, kafkaTopic } = config;
  if (kafka === undefined) return [];
  const topics = await import('@tollgate/event-log/kafka/kafka-topics');
  const settings = {
    partitions: config.kafkaPartitions,
    replicationFactor: config.kafkaReplication,
    retentionMs: config.kafkaRetentionMs,
  };
  const made = await reaching(() => topics.createKafkaTopics(kafka, topics.usageTopics(kafkaTopic), settings));
  return made.map((topic) => topicRow(topic, true));
}

/** A row for each topic that usage needs. None where there is no Kafka. */
export async function topicRows({ kafka, kafkaTopic }: CliConfig): Promise<MigrationRow[]> {
  if (kafka === undefined) return [];
  const topics = await import('@tollgate/event-log/kafka/kafka-topics');
  const states = await reaching(() => topics.readKafkaTopics(kafka, topics.usageTopics(kafkaTopic)));
  return states.map(({ topic, id }) => topicRow(topic, id !== undefined));
}

function topicRow(topic: string, isThere: boolean): MigrationRow {
  return { name: `topic ${topic}`, state: isThere ? 'applied' : 'pending', applied_at: null };
}

async function reaching<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const next = 'Check that Kafka runs and that KAFKA_BROKERS names it; tollgate doctor looks further.';
    if ((error as Error).name === 'KafkaMisconfigured') throw new CliError('bad_settings', EXIT.badSettings, `${why}.`);
    throw new CliError('unavailable', EXIT.unavailable, `Kafka: ${why}. ${next}`);
  }
}
