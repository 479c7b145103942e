import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  type BackgroundProcess,
  type ProcessExit,
  startBackgroundProcess,
  stopInSteps,
} from '@tollgate/embedded/background-process';
import { renderEnvoyConfig } from '@tollgate/envoy-config/render-envoy-config';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { freshDatabase } from '@tollgate/testing/database';
import { runEnvoy } from '@tollgate/testing/envoy';
import { freshRedis } from '@tollgate/testing/redis';
import { newRunFolder } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { inheritedEnvironment, PROJECT } from './gateway.js';
import { type Operator, operate } from './operator.js';
import { type Received, startUpstream, type Upstream } from './upstream.js';

const READY_DEADLINE_MS = 30_000;
const HEALTHY_DEADLINE_MS = 20_000;
const STOP_STEPS = [{ signal: 'SIGTERM', waitMs: 10_000 }] as const;

export type Role = 'authz' | 'ratelimit' | 'collector' | 'writer';

export interface ClusterOptions {
  authz?: number;
  ratelimit?: number;
  /** An Envoy before them, with a collector for its access log. */
  hasGateway?: boolean;
  /** Settings of the services besides the addresses, and in their place. */
  env?: Record<string, string>;
  /** Where the services look for the database; where it really is, if not given. */
  databaseUrlFor?: (role: Role, index: number, url: string) => Promise<string>;
  /** A server of its own, to be hurt. */
  databaseServerUrl?: string;
  /** Stores what the collector took in. */
  hasWriter?: boolean;
  /** Programs of dist/ that are run in the place of the service's own. */
  programs?: Partial<Record<Role, string>>;
  /** Changes Envoy's configuration; gives services much time to answer, if not given. */
  envoyConfig?: (yaml: string) => string;
  /** Which of the requests that reach the upstream it remembers; all, if not given. */
  keepsReceived?: (received: Received) => boolean;
}

/** One process of ours, at the same address each time it is started. */
export interface Instance {
  name: string;
  socket: string;
  /** As grpc-js and settings spell it. */
  address: string;
  start(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Of the process that was started last, as is what follows. */
  pid(): number;
  exited(): Promise<ProcessExit>;
  /** Of the admin port. */
  page(path: string): Promise<string>;
  close(): Promise<void>;
}

/** Several instances of the deciding services on one database and one Redis, each a process built for production. */
export interface Cluster {
  authz: readonly Instance[];
  ratelimit: readonly Instance[];
  collector: Instance | undefined;
  writer: Instance | undefined;
  gatewayUrl: string;
  upstream: Upstream;
  databaseUrl: string;
  db: Database;
  operator: Operator;
  /** How many instances Envoy sends requests to. */
  healthy(role: 'authz' | 'ratelimit'): Promise<number>;
  /** Resolves when Envoy uses every instance. */
  allHealthy(): Promise<void>;
  /** One of Envoy's counters, by its whole name. */
  stat(name: string): Promise<number>;
  /** Where usage is to be found: Envoy's file log and name, and the data folder of the collector. */
  usage: { file: string; nodeId: string; envoyAdminUrl: string; dataFolder: string };
  /** Ends Envoy with this signal, and resolves when it has gone. */
  endEnvoy(signal: NodeJS.Signals): Promise<void>;
  close(): Promise<void>;
}

type Closers = (() => Promise<void>)[];

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const closers: Closers = [];
  const close = async (): Promise<void> => {
    for (const closeNext of closers.reverse().splice(0)) await closeNext();
  };
  try {
    return { ...(await startParts(options, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startParts(options: ClusterOptions, closers: Closers): Promise<Omit<Cluster, 'close'>> {
  await promisify(execFile)(process.execPath, [join(PROJECT, 'scripts', 'build.mjs')], { cwd: PROJECT });
  const { folder, runFolder } = await newRunFolder('cluster');
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const { databaseServerUrl } = options;
  const database = await freshDatabase(databaseServerUrl === undefined ? {} : { serverUrl: databaseServerUrl });
  closers.push(() => database.close());
  const redis = await freshRedis();
  closers.push(() => redis.close());
  const db = openDatabase({
    url: database.url,
    maxConnections: 4,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 10_000,
    applicationName: 'e2e cluster',
    onError: () => {},
  });
  closers.push(() => db.close());
  const operator = operate({ databaseUrl: database.url, folder });
  closers.push(() => operator.close());

  const { databaseUrlFor = async (_role, _index, url) => url } = options;
  const start = async (role: Role, index: number): Promise<Instance> => {
    const env = { REDIS_URL: redis.url, ...options.env, DATABASE_URL: await databaseUrlFor(role, index, database.url) };
    const instance = makeInstance({ role, index, folder, runFolder, env, program: options.programs?.[role] ?? role });
    closers.push(() => instance.close());
    await instance.start();
    return instance;
  };
  const startAll = (role: Role, count: number) => Promise.all(Array.from({ length: count }, (_, index) => start(role, index)));
  const authz = await startAll('authz', options.authz ?? 0);
  const ratelimit = await startAll('ratelimit', options.ratelimit ?? 0);
  const [collector] = await startAll('collector', options.hasGateway === true ? 1 : 0);
  const [writer] = await startAll('writer', options.hasWriter === true ? 1 : 0);
  const upstream = await startUpstream(options.keepsReceived);
  closers.push(() => upstream.close());
  const envoyConfig = options.envoyConfig ?? patientWithServices;
  const gateway =
    collector && (await startGatewayBefore({ authz, ratelimit, collector }, { upstream, folder, envoyConfig }, closers));
  return {
    ...{ authz, ratelimit, collector, writer, upstream, db, operator, databaseUrl: database.url },
    ...(gateway ?? NO_GATEWAY),
  };
}

type GatewayParts = Pick<Cluster, 'gatewayUrl' | 'healthy' | 'allHealthy' | 'stat' | 'usage' | 'endEnvoy'>;

const noGateway = async (): Promise<never> => {
  throw new Error('this cluster was started without a gateway');
};
const NO_GATEWAY: GatewayParts = {
  ...{ gatewayUrl: '', healthy: noGateway, allHealthy: noGateway, stat: noGateway, endEnvoy: noGateway },
  usage: { file: '', nodeId: '', envoyAdminUrl: '', dataFolder: '' },
};

async function startGatewayBefore(
  services: { authz: readonly Instance[]; ratelimit: readonly Instance[]; collector: Instance },
  { upstream, folder, envoyConfig }: { upstream: Upstream; folder: string; envoyConfig: (yaml: string) => string },
  closers: Closers,
): Promise<GatewayParts> {
  const nodeId = randomUUID();
  const file = join(folder, 'usage.jsonl');
  const addresses = (instances: readonly Instance[]) => instances.map(({ socket }) => ({ unix: socket }));
  const configYaml = renderEnvoyConfig({
    gateway: { host: '127.0.0.1', port: 0 },
    admin: { host: '127.0.0.1', port: 0 },
    version: '1.2.3',
    nodeId,
    accessLogFile: file,
    upstreamUrl: upstream.url,
    authz: addresses(services.authz),
    ratelimit: addresses(services.ratelimit),
    usage: addresses([services.collector]),
  });
  const envoy = await runEnvoy(envoyConfig(configYaml));
  closers.push(() => envoy.close());
  const ask = async (path: string): Promise<string> => (await fetch(`${envoy.adminUrl}${path}`)).text();
  const stat = async (name: string): Promise<number> => {
    const line = (await ask('/stats')).split('\n').find((each) => each.startsWith(`${name}: `));
    if (line === undefined) throw new Error(`Envoy counts no ${name}`);
    return Number(line.slice(name.length + 2));
  };
  const healthy = (role: string) => stat(`cluster.${role}.membership_healthy`);
  const allHealthy = async (): Promise<void> => {
    const isWhole = async (role: 'authz' | 'ratelimit') => (await healthy(role)) === services[role].length;
    await until(async () => (await isWhole('authz')) && (await isWhole('ratelimit')), HEALTHY_DEADLINE_MS, 'healthy services');
  };
  await allHealthy();
  const gatewayUrl = `http://${/^gateway::(.+)$/m.exec(await ask('/listeners'))?.[1]}`;
  return {
    ...{ gatewayUrl, stat, healthy, allHealthy },
    usage: { file, nodeId, envoyAdminUrl: envoy.adminUrl, dataFolder: join(folder, services.collector.name) },
    async endEnvoy(signal) {
      process.kill(envoy.pid, signal);
      await envoy.exited;
    },
  };
}

/** A busy test machine is no dead service: Envoy waits for slow answers here, so that what fails has failed for good. */
export function patientWithServices(configYaml: string): string {
  const deadlines = [
    [' timeout: 0.05s\n', ' timeout: 5s\n'],
    [' timeout: 0.5s\n', ' timeout: 10s\n'],
    ['max_interval: 0.25s', 'max_interval: 5s'],
  ] as const;
  return deadlines.reduce((yaml, [usual, patient]) => {
    if (!yaml.includes(usual)) throw new Error(`the rendered configuration has other deadlines than ${usual}`);
    return yaml.replace(usual, patient);
  }, configYaml);
}

interface InstanceSettings {
  role: Role;
  index: number;
  folder: string;
  runFolder: string;
  env: Record<string, string>;
  program: string;
}

function makeInstance({ role, index, folder, runFolder, env, program }: InstanceSettings): Instance {
  const name = `${role}-${index}`;
  // Straight in the folder of the run: the path of a socket has little more than 100 characters.
  const socket = join(runFolder, `${randomUUID().slice(0, 6)}-${name}.sock`);
  let running: BackgroundProcess | undefined;
  let adminUrl = '';
  let starts = 0;
  const address = `unix:${socket}`;
  const settings = {
    ...inheritedEnvironment(),
    ...(role === 'writer' ? {} : { [`${role.toUpperCase()}_LISTEN`]: address }),
    ADMIN_LISTEN: '127.0.0.1:0',
    // The writer reads what the collector has written.
    DATA_DIR: join(folder, role === 'writer' ? 'collector-0' : name),
    // A busy machine is no slow database and no slow Redis.
    KEY_LOOKUP_TIMEOUT: '5s',
    LIMITS_LOOKUP_TIMEOUT: '5s',
    RATELIMIT_STORE_TIMEOUT: '2s',
    ...env,
  };
  return {
    ...{ name, socket, address },
    async start() {
      await mkdir(settings.DATA_DIR, { recursive: true });
      const logFile = join(folder, `${name}-${starts++}.log`);
      const started = await startBackgroundProcess({
        command: process.execPath,
        args: [join(PROJECT, 'dist', `${program}.js`)],
        env: settings,
        logFile,
        hasOwnGroup: true,
        record: { folder: runFolder, name },
      });
      running = started;
      adminUrl = `http://${await adminAddressOf(started, logFile, name)}`;
      if (role === 'authz' || role === 'ratelimit')
        await until(async () => isJudging(adminUrl), READY_DEADLINE_MS, `${name} knowing the database`);
    },
    signal: (signal) => running?.signal(signal),
    pid: () => running?.pid ?? 0,
    exited: () => running?.exited ?? Promise.reject(new Error(`${name} was never started`)),
    page: async (path) => (await fetch(`${adminUrl}${path}`)).text(),
    async close() {
      if (running !== undefined) await stopInSteps(running, STOP_STEPS);
    },
  };
}

async function adminAddressOf(program: BackgroundProcess, logFile: string, name: string): Promise<string> {
  const ready = await until(
    async () => {
      const line = /^.*"msg":"ready".*$/m.exec(await readFile(logFile, 'utf8'))?.[0];
      return line ?? (program.isRunning() ? undefined : 'ended');
    },
    READY_DEADLINE_MS,
    `the start of ${name}`,
  );
  if (ready === 'ended') throw new Error(`${name} did not start:\n${await program.lastLines()}`);
  return (JSON.parse(ready) as { admin_address: string }).admin_address;
}

async function isJudging(adminUrl: string): Promise<boolean> {
  const health = (await (await fetch(`${adminUrl}/health/ready`)).json()) as { components?: { database?: { status: string } } };
  return health.components?.database?.status === 'ok';
}
