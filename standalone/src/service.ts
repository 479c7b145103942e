import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { findEnvoy } from '@tollgate/embedded/envoy-binary';
import { type RunningEnvoy, startEnvoy } from '@tollgate/embedded/envoy-process';
import { freePort } from '@tollgate/embedded/free-port';
import { claimFolder, endRecordedOrphans } from '@tollgate/embedded/process-register';
import type { EnvoyConfigOptions, GatewayRoute } from '@tollgate/envoy-config/options';
import { renderEnvoyConfig } from '@tollgate/envoy-config/render-envoy-config';
import { renderSecrets } from '@tollgate/envoy-config/secrets';
import { createLogger, type Logger } from '@tollgate/service-kit/log';
import { VERSION } from '@tollgate/service-kit/version';
import { type Closers, createClosers } from './closers.js';
import { type ServiceName, type StandaloneConfig, serviceSettings, usageFileIn } from './config.js';
import { startDatabase } from './database.js';
import { type Demo, demoIn } from './demo.js';
import { startDemoUpstream } from './demo-upstream/service.js';
import { removeGatewayFile, writeGatewayFile } from './gateway-file.js';
import { gatewayTracing } from './gateway-tracing.js';
import { prepareKafka } from './kafka.js';
import { nodeIdOf } from './node-id.js';
import { checkPort } from './port-check.js';
import { startReconcilerHere, startServices } from './services.js';
import { makeSocketFolder } from './socket-folder.js';

/** How long requests in flight may take to end after Ctrl-C. */
const DRAIN_MS = 5_000;
/** As in the rendered configuration; Envoy writes nothing of its access log at exit, so that one waits for its flush. */
const LOG_FLUSH_MS = 200;
const RATELIMIT_TIMEOUT_MS = 250;

export interface Standalone {
  gatewayUrl: string;
  /** The one upstream; undefined where there are routes. */
  upstreamUrl: string | undefined;
  routes: readonly GatewayRoute[] | undefined;
  databaseUrl: string;
  adminUrl: string;
  demo: Demo;
  /** What each service needs to be told to take its place here; for services that are run elsewhere. */
  services: Record<ServiceName, Record<string, string>>;
  /** Resolves, with words for a person, when a part that the gateway cannot be without has ended by itself. */
  failed: Promise<string>;
  /** Drains, stores what was counted, and stops everything that was started. */
  close(): Promise<void>;
}

export interface StandaloneOptions {
  migrationsFolder: string;
  /** Takes the JSON log of all services. */
  logStream: { write(line: string): void };
  /** Told what takes its time, in a line each. */
  progress: (line: string) => void;
  pid: number;
  /** False for `npm run dev`, which runs each service in a process of its own. */
  withServices: boolean;
}

/** The whole gateway on one machine: every service in this process, PostgreSQL and Envoy as its children. */
export async function startStandalone(config: StandaloneConfig, options: StandaloneOptions): Promise<Standalone> {
  const loggerOf = (service: string): Logger => createLogger({ service, level: config.logLevel }, options.logStream);
  const log = loggerOf('standalone');
  const closers = createClosers((part, error) => log.error({ part, err: error }, 'could not be stopped'));
  try {
    return await startParts(config, options, closers, loggerOf);
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
}

/** In the order in which they need each other; `closers` ends them in the opposite one, Envoy first. */
async function startParts(
  config: StandaloneConfig,
  options: StandaloneOptions,
  closers: Closers,
  loggerOf: (service: string) => Logger,
): Promise<Standalone> {
  const { dataFolder } = config;
  await takeDataFolder(dataFolder, options, closers);
  // After the orphans have gone, which may have held them, and before anything that takes its time.
  await checkPort('GATEWAY_PORT', '0.0.0.0', config.gatewayPort);
  await checkPort('ENVOY_ADMIN_PORT', '127.0.0.1', config.envoyAdminPort);
  const envoySearch = { envoyPath: config.envoyPath, cacheFolder: config.cacheFolder, log: options.progress };
  const [envoyBinary, databaseUrl] = await Promise.all([
    findEnvoy(envoySearch),
    startDatabase(config, options, closers),
    prepareKafka(config, options.progress),
  ]);
  const demo = await demoIn(databaseUrl, dataFolder);

  const sockets = await makeSocketFolder(dataFolder);
  closers.add('sockets', () => sockets.remove());
  const nodeId = await nodeIdOf(dataFolder);
  const services = serviceSettings(config, databaseUrl, sockets.path, nodeId);
  const adminAddresses = options.withServices ? await startServices(config, services, closers, loggerOf) : {};

  const { routes } = config;
  const upstreamUrl = config.upstreamUrl ?? (routes === undefined ? await startUpstream(closers) : undefined);
  const gatewayPort = config.gatewayPort || (await freePort());
  const envoy = await startGateway(config, { binary: envoyBinary.path, gatewayPort, upstreamUrl, sockets: sockets.path, nodeId });
  closers.add('envoy', () => envoy.drainAndStop({ drainMs: DRAIN_MS, logFlushMs: LOG_FLUSH_MS }));
  services.reconciler['ENVOY_ADMIN_URL'] = envoy.adminUrl;
  const besideEnvoy = options.withServices ? await startReconcilerHere(config, services.reconciler, closers, loggerOf) : {};

  const gatewayUrl = `${config.tls === undefined ? 'http' : 'https'}://127.0.0.1:${gatewayPort}`;
  const { adminUrl } = envoy;
  const adminToken = services.ratelimit['ADMIN_TOKEN'] ?? '';
  const addresses = { ...adminAddresses, ...besideEnvoy };
  const gatewayFile = { pid: options.pid, gatewayUrl, adminUrl, databaseUrl, services: addresses, adminToken };
  await writeGatewayFile(dataFolder, gatewayFile);
  closers.add('gateway file', () => removeGatewayFile(dataFolder));

  let isClosing = false;
  const envoyLog = join(dataFolder, 'envoy', 'envoy.log');
  const failed = envoy.exited.then(() =>
    isClosing ? new Promise<never>(() => {}) : `Envoy has ended by itself; its last words are in ${envoyLog}.`,
  );
  return {
    ...{ gatewayUrl, upstreamUrl, routes, databaseUrl, adminUrl, demo, services, failed },
    close() {
      isClosing = true;
      return closers.closeAll();
    },
  };
}

async function takeDataFolder(dataFolder: string, { pid, progress }: StandaloneOptions, closers: Closers): Promise<void> {
  await mkdir(dataFolder, { recursive: true, mode: 0o700 });
  const claim = await claimFolder(dataFolder, pid);
  closers.add('claim', () => claim.release());
  const ended = await endRecordedOrphans(dataFolder);
  if (ended.length > 0) progress(`Ended ${ended.join(' and ')}, left behind by an earlier run.`);
}

async function startUpstream(closers: Closers): Promise<string> {
  const upstream = await startDemoUpstream({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  closers.add('demo upstream', () => upstream.close());
  return `http://${upstream.address}`;
}

async function startGateway(
  config: StandaloneConfig,
  how: { binary: string; gatewayPort: number; upstreamUrl: string | undefined; sockets: string; nodeId: string },
): Promise<RunningEnvoy> {
  const { binary, gatewayPort, upstreamUrl, sockets, nodeId } = how;
  const { dataFolder } = config;
  const folder = join(dataFolder, 'envoy');
  const at = (service: ServiceName) => [{ unix: join(sockets, `${service}.sock`) }];
  const { tracing, env } = gatewayTracing(config);
  const options: EnvoyConfigOptions = {
    gateway: { host: '0.0.0.0', port: gatewayPort },
    admin: { host: '127.0.0.1', port: config.envoyAdminPort },
    nodeId,
    version: VERSION,
    upstreamUrl,
    routes: config.routes,
    upstreamTimeoutMs: config.upstreamTimeoutMs,
    // All services share one event loop here, which a burst on a fresh gateway keeps busy for longer than 50 ms.
    ratelimitTimeoutMs: RATELIMIT_TIMEOUT_MS,
    corsOrigins: config.corsOrigins,
    tls: config.tls,
    secretsFolder: resolve(folder),
    authz: at('authz'),
    ratelimit: at('ratelimit'),
    usage: at('collector'),
    accessLogFile: usageFileIn(dataFolder),
    tracing,
  };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const { path, text } of renderSecrets(options)) await writeFile(path, text);
  const configYaml = renderEnvoyConfig(options);
  return startEnvoy({ binary, folder, recordIn: dataFolder, configYaml, ...(env && { env }) });
}
