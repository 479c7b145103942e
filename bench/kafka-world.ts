/** A Kafka of a bench's own, and built services of usage beside it, each in a process of its own. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createKafkaTopics, usageTopics } from '@tollgate/event-log/kafka/kafka-topics';
import { type KafkaServer, startKafka } from '@tollgate/testing/kafka';
import { until } from '@tollgate/testing/until';
import { type Closers, closeAll, inRunFolder } from './run-folder.js';
import { type StartedService, startService } from './world.js';

const TOPIC_SETTINGS = { partitions: 12, replicationFactor: 1, retentionMs: 86_400_000 };
const DEADLINE_MS = 60_000;
export const KAFKA_VERSION = 'Kafka 4.4.0';

export interface KafkaWorld {
  folder: string;
  kafka: KafkaServer;
  /** What the bench starts besides, ended with the rest. */
  closers: Closers;
  /** A topic of 12 partitions, with that of its dead letters; returns its name. */
  makeTopic(): Promise<string>;
  startService(name: string, settings: Readonly<Record<string, string>>): Promise<UsageService>;
}

export interface UsageService extends StartedService {
  /** The sum of the series of its metrics that begin so. */
  metric(start: string): Promise<number>;
  /** Of one service, before all the rest. */
  close(): Promise<void>;
}

/** Runs the bench in a world that is gone afterwards, whatever happens. */
export async function inKafkaWorld<Result>(
  options: { root: string; profileFolder: string | undefined },
  run: (world: KafkaWorld) => Promise<Result>,
): Promise<Result> {
  return inRunFolder(async (folder, closers) => {
    process.env['TEST_RUN_FOLDER'] = folder;
    const kafka = await startKafka();
    closers.push(() => kafka.close());
    return run({
      folder,
      kafka,
      closers,
      makeTopic: () => makeTopic(kafka),
      startService: serviceStarter(options, folder, kafka, closers),
    });
  });
}

async function makeTopic(kafka: KafkaServer): Promise<string> {
  const topic = `usage-${randomUUID()}`;
  // The coordinators of a Kafka that has only just started are still loading.
  await until(
    async () => (await createKafkaTopics(kafka, usageTopics(topic), TOPIC_SETTINGS)) && true,
    DEADLINE_MS,
    'making a topic',
  );
  return topic;
}

function serviceStarter(
  options: { root: string; profileFolder: string | undefined },
  runFolder: string,
  kafka: KafkaServer,
  closersOfAll: Closers,
): KafkaWorld['startService'] {
  return async (name, settings) => {
    const folder = join(runFolder, randomUUID());
    await mkdir(folder);
    const closers: Closers = [];
    const close = () => closeAll(closers);
    closersOfAll.push(close);
    const env = { KAFKA_BROKERS: kafka.brokers.join(','), DATA_DIR: folder, ...settings };
    const service = await startService({ ...options, folder, transport: 'unix' }, closers, name, env);
    return { ...service, metric: (start) => metricOf(service, start), close };
  };
}

async function metricOf({ adminAddress }: StartedService, start: string): Promise<number> {
  const values = (await pageOf(`http://${adminAddress}/metrics`)).split('\n').filter((line) => line.startsWith(start));
  return values.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** Over a connection of its own: one that is kept may be closed while the bench itself is busy. */
async function pageOf(url: string): Promise<string> {
  const asked = get(url, { agent: false, signal: AbortSignal.timeout(10_000) });
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return text(answer);
}
