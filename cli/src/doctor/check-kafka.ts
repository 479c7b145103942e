import type { TopicState } from '@tollgate/event-log/kafka/kafka-topics';
import type { KafkaConnectionSettings } from '@tollgate/service-kit/kafka-settings';
import { type Finding, fail, ok, warn } from './finding.js';

/** Whether Kafka answers, and a finding for each topic that usage needs. */
export async function checkKafka(connection: KafkaConnectionSettings, topic: string): Promise<Finding[]> {
  // Loaded where it is needed, as the other commands have no use for it.
  const { readKafkaTopics, usageTopics } = await import('@tollgate/event-log/kafka/kafka-topics');
  const states = await readKafkaTopics(connection, usageTopics(topic));
  return [ok('kafka', `answers at ${connection.brokers.join(', ')}`), ...states.map(topicFinding)];
}

function topicFinding({ topic, id, partitions, replicas, inSyncReplicas, minInSyncReplicas }: TopicState): Finding {
  const check = `topic ${topic}`;
  if (id === undefined) return fail(check, 'is not there', 'Run tollgate migrate up with the same KAFKA_ settings.');
  const inSync = `${inSyncReplicas} of ${replicas} replicas in sync, ${minInSyncReplicas ?? 'unknown'} needed`;
  const detail = `${partitions} partitions, ${inSync}`;
  if (minInSyncReplicas !== undefined && inSyncReplicas < minInSyncReplicas)
    return fail(check, detail, 'Bring the brokers back: until then events wait on disk.');
  if (inSyncReplicas < replicas) return warn(check, detail, 'Look why a replica is behind.');
  if (replicas === 1)
    return warn(check, detail, 'The loss of one broker loses events: make topics with KAFKA_REPLICATION=3 in production.');
  if (minInSyncReplicas === 1)
    return warn(check, detail, 'Set min.insync.replicas to 2: an event counts as kept when a single broker has it.');
  return ok(check, detail);
}
