import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { type BackgroundProcess, startBackgroundProcess, stopInSteps } from '@tollgate/embedded/background-process';
import { freePort } from '@tollgate/embedded/free-port';
import { claimFolder } from '@tollgate/embedded/process-register';
import { findKafkaLibraries, type KafkaLibraries } from './kafka-libraries.js';
import { type KafkaSecurity, type ServerSettings, scramUsers, securitySettings } from './kafka-security.js';
import { cacheFolder, needRunVariable, newRunFolder, readRunVariable } from './run-environment.js';
import { until } from './until.js';

const UP_DEADLINE_MS = 60_000;
const FORMAT_DEADLINE_MS = 60_000;
const STOP_STEPS = [{ signal: 'SIGTERM', waitMs: 15_000 }] as const;
/** Small and quick to start: a broker of a test serves a test. */
const JVM = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];

/** A Kafka to be hurt: the address stays the same through every stop and start, and what it acknowledged stays too. */
export interface KafkaServer {
  /** `host:port` of its one broker. */
  brokers: readonly string[];
  /** The same one, where it asks for certificates of its clients; empty without {@link KafkaSecurity}. */
  certificateBrokers: readonly string[];
  /** Of the server that was started last. */
  pid(): number;
  /** Resolves when it takes connections. A group's coordinator may still be loading. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
  /** Connections stay open, and nothing answers until `resume()`. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

/**
 * The Kafka that all tests of a run share, each with topics of its own: TEST_KAFKA_BROKERS, or a broker that the first test
 * to ask for one starts. It ends with the run.
 */
export async function sharedKafka(): Promise<{ brokers: readonly string[] }> {
  const external = readRunVariable('TEST_KAFKA_BROKERS');
  if (external !== undefined) return { brokers: external.split(',') };
  const runFolder = needRunVariable('TEST_RUN_FOLDER');
  const address = join(runFolder, 'kafka-brokers');
  const known = () =>
    readFile(address, 'utf8').then(
      (text) => ({ brokers: [text] }),
      () => undefined,
    );
  const claim = await claimFolder(join(runFolder, 'kafka-start'), process.pid).catch(() => undefined);
  if (claim === undefined) return until(known, UP_DEADLINE_MS + FORMAT_DEADLINE_MS, 'the Kafka that another test starts');
  try {
    return (await known()) ?? (await startShared(address));
  } finally {
    await claim.release();
  }
}

async function startShared(address: string): Promise<{ brokers: readonly string[] }> {
  const { brokers } = await startKafka();
  await writeFile(`${address}.new`, brokers.join(','));
  await rename(`${address}.new`, address);
  return { brokers };
}

/** The name of a topic that no other test has. */
export function aTopicName(): string {
  return `t-${randomUUID()}`;
}

/** Starts a broker of one test's own: one node in KRaft mode, which makes no topic by itself. */
export async function startKafka(security?: KafkaSecurity): Promise<KafkaServer> {
  const libraries = await findKafkaLibraries({ cacheFolder: cacheFolder(), log: console.info });
  const { folder, runFolder } = await newRunFolder('kafka');
  const port = await freePort();
  const properties = join(folder, 'server.properties');
  const ports = { passwords: port, certificates: await freePort(), inner: await freePort(), controller: await freePort() };
  const secure = security === undefined ? {} : await securitySettings(security, folder, ports);
  const settings = { ...serverSettings(folder, port, ports.controller), ...secure };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(properties, lines.join(''));
  await formatStorage(libraries, folder, properties, security);

  const start = () => startServer(libraries, { folder, runFolder, properties, port });
  let server = await start();
  return {
    brokers: [`${security === undefined ? '127.0.0.1' : 'localhost'}:${port}`],
    certificateBrokers: security === undefined ? [] : [`localhost:${ports.certificates}`],
    pid: () => server.pid,
    start: async () => {
      server = await start();
    },
    stop: () => stopInSteps(server, STOP_STEPS),
    kill: async () => {
      server.signal('SIGKILL');
      await server.exited;
    },
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    close: async () => {
      // What it holds goes with it, so that nothing needs to be written down.
      server.signal('SIGKILL');
      await server.exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function serverSettings(folder: string, port: number, controllerPort: number): ServerSettings {
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // A reader whose process was killed is missed only for so long.
    'group.min.session.timeout.ms': 1000,
  };
}

async function formatStorage(
  { java, folder: jars }: KafkaLibraries,
  folder: string,
  properties: string,
  security: KafkaSecurity | undefined,
): Promise<void> {
  const args = ['--standalone'];
  if (security !== undefined) args.push(...scramUsers(security));
  await formatWith({ java, folder: jars }, folder, properties, aClusterId(), args);
}

/** A UUID in base64, which may begin with a hyphen. */
export function aClusterId(): string {
  return Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
}

export async function formatWith(
  { java, folder: jars }: Pick<KafkaLibraries, 'java' | 'folder'>,
  folder: string,
  properties: string,
  clusterId: string,
  more: readonly string[],
): Promise<void> {
  const args = ['format', `--cluster-id=${clusterId}`, '-c', properties, ...more];
  const tool = await startBackgroundProcess({
    command: java,
    args: [...JVM, '-cp', join(jars, '*'), 'kafka.tools.StorageTool', ...args],
    logFile: join(folder, 'format.log'),
    hasOwnGroup: true,
  });
  const outcome = await until(() => !tool.isRunning(), FORMAT_DEADLINE_MS, 'formatting the storage of Kafka').then(
    () => tool.exited,
  );
  if (outcome.code !== 0) throw new Error(`the storage of Kafka could not be formatted:\n${await tool.lastLines()}`);
}

export async function startServer(
  { java, folder: jars }: KafkaLibraries,
  where: { folder: string; runFolder: string; properties: string; port: number },
): Promise<BackgroundProcess> {
  const server = await startBackgroundProcess({
    command: java,
    args: [...JVM, '-cp', join(jars, '*'), 'kafka.Kafka', where.properties],
    logFile: join(where.folder, 'kafka.log'),
    hasOwnGroup: true,
    record: { folder: where.runFolder, name: 'kafka', stopSignal: 'SIGKILL' },
  });
  const isUp = async () => (await takesConnections(where.port)) || (server.isRunning() ? false : 'ended');
  try {
    if ((await until(isUp, UP_DEADLINE_MS, 'Kafka')) === 'ended')
      throw new Error(`Kafka did not start:\n${await server.lastLines()}`);
    return server;
  } catch (error) {
    // Nobody else knows of it, and its folder goes with the test.
    server.signal('SIGKILL');
    await server.exited;
    throw error;
  }
}

async function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
