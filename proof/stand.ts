/** The whole gateway for a fault: two of each deciding service, each its own process, on servers that may be hurt. */
import { createKafkaTopics } from '@tollgate/event-log/kafka/kafka-topics';
import { type DatabaseServer, startDatabaseServer } from '@tollgate/testing/database';
import { type KafkaServer, startKafka } from '@tollgate/testing/kafka';
import { type RedisServer, startRedis } from '@tollgate/testing/redis';
import { until } from '@tollgate/testing/until';
import { type Cluster, type ClusterOptions, patientWithServices, startCluster } from '../e2e/cluster.js';
import { flushingOften } from './envoy-times.js';
import type { Run } from './fault.js';
import { buildMutant, type MutantProgram } from './mutants.js';
import { isStranger, type Probe, startProbe } from './probe.js';

export interface StandOptions {
  env?: Record<string, string>;
  hasKafka?: boolean;
  redisUrlFor?: (url: string) => Promise<string>;
  mutants?: readonly MutantProgram[];
  cluster?: Partial<ClusterOptions>;
}

export interface Stand {
  cluster: Cluster;
  redis: RedisServer;
  database: DatabaseServer;
  /** Throws where the stand has none. */
  kafka: KafkaServer;
  probe: Probe;
}

const INSTANCES = 2;
const TOPICS_DEADLINE_MS = 60_000;
const WARM_UP_SECONDS = 1;

/** Starts all of it with the probe under way, warm. It ends with the run. */
export async function startStand(run: Run, options: StandOptions = {}): Promise<Stand> {
  const closing = async <Server extends { close(): Promise<void> }>(starting: Promise<Server>): Promise<Server> => {
    const server = await starting;
    run.onEnd(() => server.close());
    return server;
  };
  const [redis, database, kafka] = await Promise.all([
    closing(startRedis()),
    closing(startDatabaseServer()),
    options.hasKafka === true ? closing(startKafkaWithTopics()) : undefined,
  ]);
  const programs = Object.fromEntries(
    await Promise.all((options.mutants ?? []).map(async (mutant) => [mutant.role, await buildMutant(mutant)] as const)),
  );
  const { envoyConfig = patientWithServices, ...clusterOptions } = options.cluster ?? {};
  const cluster = await closing(
    startCluster({
      ...{ authz: INSTANCES, ratelimit: INSTANCES, hasGateway: true, hasWriter: true },
      ...{ databaseServerUrl: database.url, programs, keepsReceived: isStranger, ...clusterOptions },
      envoyConfig: (yaml) => flushingOften(envoyConfig(yaml)),
      env: {
        // A busy machine is no slow Redis. A whole run has the product's own time.
        RATELIMIT_STORE_TIMEOUT: run.size === 'small' ? '250ms' : '8ms',
        RATELIMIT_INSTANCES: String(INSTANCES),
        ...(kafka === undefined ? {} : { KAFKA_BROKERS: kafka.brokers.join(','), KAFKA_TIMEOUT: '2s', KAFKA_BATCH_TIME: '50ms' }),
        REDIS_URL: (await options.redisUrlFor?.(redis.url)) ?? redis.url,
        ...options.env,
      },
    }),
  );
  const probe = await startProbe(cluster, run.rate);
  run.onEnd(() => probe.stop());
  await until(() => probe.answers.some(({ isLimited, isDegraded }) => isLimited && !isDegraded), 20_000, 'a warm gateway');
  await probe.seconds(WARM_UP_SECONDS);
  const noKafka = new Proxy({} as KafkaServer, {
    get: () => {
      throw new Error('this stand was started without Kafka');
    },
  });
  return { cluster, redis, database, kafka: kafka ?? noKafka, probe };
}

async function startKafkaWithTopics(): Promise<KafkaServer> {
  const kafka = await startKafka();
  const settings = { partitions: 12, replicationFactor: 1, retentionMs: 86_400_000 };
  const topics = ['usage-events', 'usage-events-dead-letter'];
  await until(async () => (await createKafkaTopics(kafka, topics, settings)) && true, TOPICS_DEADLINE_MS, 'the topics');
  return kafka;
}
