import { withDeadline } from '@tollgate/service-kit/deadline';
import type { Kafka } from 'kafkajs';
import { explained } from './explain-failure.js';
import { type KafkaConnection, openKafka } from './kafka-client.js';
import { openMetadataConnection } from './topic-metadata.js';

/** How topics are made; what is undefined is left to the cluster. */
export interface TopicSettings {
  partitions: number;
  replicationFactor: number | undefined;
  retentionMs: number;
}

/** A topic as it is; `partitions` is 0 where there is none. */
export interface TopicState {
  topic: string;
  id: string | undefined;
  partitions: number;
  /** Of the partition that has fewest. */
  replicas: number;
  inSyncReplicas: number;
  /** How many replicas must have a record before it is acknowledged; undefined where Kafka does not tell. */
  minInSyncReplicas: number | undefined;
}

/** The topics that usage needs, by the name of the one of events. */
export function usageTopics(topic: string): [events: string, deadLetters: string] {
  return [topic, `${topic}-dead-letter`];
}

const DEADLINE_MS = 15_000;
const TOPIC_RESOURCE = 2;
const BY_CLUSTER = -1;

/** Makes the topics that are missing, and waits until they can be used; returns their names. What is there stays as it is. */
export async function createKafkaTopics(
  connection: KafkaConnection,
  topics: readonly string[],
  settings: TopicSettings,
): Promise<string[]> {
  return withAdmin(connection, async (admin) => {
    const known = new Set(await admin.listTopics());
    const missing = topics.filter((topic) => !known.has(topic));
    const { partitions, replicationFactor, retentionMs } = settings;
    // Another one may make them at the same moment, which is as good.
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map((topic) => ({
        topic,
        numPartitions: partitions,
        replicationFactor: replicationFactor ?? BY_CLUSTER,
        configEntries: [
          { name: 'retention.ms', value: String(retentionMs) },
          ...(replicationFactor === undefined
            ? []
            : [{ name: 'min.insync.replicas', value: String(majority(replicationFactor)) }]),
        ],
      })),
    });
    return missing;
  });
}

/** So many that one broker may be away where there are three. */
function majority(replicationFactor: number): number {
  return Math.floor(replicationFactor / 2) + 1;
}

/** What there is of these topics. Throws where Kafka does not answer within seconds. */
export async function readKafkaTopics(connection: KafkaConnection, topics: readonly string[]): Promise<TopicState[]> {
  const kafka = openKafka(connection, DEADLINE_MS);
  const metadata = await explaining(withDeadline(openMetadataConnection(kafka), DEADLINE_MS, 'reaching Kafka'));
  try {
    const states: TopicState[] = [];
    for (const topic of topics) {
      const facts = await explaining(withDeadline(metadata.ask(topic), DEADLINE_MS, 'asking Kafka about a topic'));
      const partitions = facts?.partitions ?? [];
      states.push({
        topic,
        id: facts?.id,
        partitions: partitions.length,
        replicas: Math.min(...partitions.map(({ replicas }) => replicas), Number.MAX_SAFE_INTEGER),
        inSyncReplicas: Math.min(...partitions.map(({ inSyncReplicas }) => inSyncReplicas), Number.MAX_SAFE_INTEGER),
        minInSyncReplicas: facts && (await readMinInSync(connection, topic)),
      });
    }
    return states;
  } finally {
    await metadata.close().catch(() => {});
  }
}

async function readMinInSync(connection: KafkaConnection, topic: string): Promise<number | undefined> {
  const told = await withAdmin(connection, (admin) =>
    admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: TOPIC_RESOURCE, name: topic, configNames: ['min.insync.replicas'] }],
    }),
  );
  const value = told.resources[0]?.configEntries[0]?.configValue;
  return value === undefined ? undefined : Number(value);
}

async function withAdmin<Answer>(connection: KafkaConnection, ask: (admin: ReturnType<Kafka['admin']>) => Promise<Answer>) {
  const admin = openKafka(connection, DEADLINE_MS).admin();
  try {
    await explaining(withDeadline(admin.connect(), DEADLINE_MS, 'reaching Kafka'));
    return await explaining(withDeadline(ask(admin), DEADLINE_MS, 'asking Kafka'));
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

async function explaining<Answer>(answer: Promise<Answer>): Promise<Answer> {
  return answer.catch((error: unknown) => {
    throw explained(error);
  });
}
