import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readConfig as readAuthzConfig } from '@tollgate/authz-service/config';
import { startAuthzService } from '@tollgate/authz-service/service';
import { startPostgres } from '@tollgate/embedded/embedded-postgres';
import { findEnvoy } from '@tollgate/embedded/envoy-binary';
import { startEnvoy } from '@tollgate/embedded/envoy-process';
import { freePort } from '@tollgate/embedded/free-port';
import { claimFolder, endRecordedOrphans } from '@tollgate/embedded/process-register';
import { renderEnvoyConfig } from '@tollgate/envoy-config/render-envoy-config';
import { openDatabase } from '@tollgate/postgres/database';
import { migrateUp } from '@tollgate/postgres/migrate';
import { readConfig as readRateLimitConfig } from '@tollgate/ratelimit-service/config';
import { startRateLimitService } from '@tollgate/ratelimit-service/service';
import { createLogger, type Logger } from '@tollgate/service-kit/log';
import { VERSION } from '@tollgate/service-kit/version';
import { readConfig as readCollectorConfig } from '@tollgate/usage-processor/collector/config';
import { startCollector } from '@tollgate/usage-processor/collector/service';
import { readConfig as readWriterConfig } from '@tollgate/usage-processor/writer/config';
import { startWriter } from '@tollgate/usage-processor/writer/service';
import { createClosers } from './closers.js';
import { type ServiceName, type StandaloneConfig, serviceEnvironment } from './config.js';
import { type Demo, prepareDemo } from './demo.js';
import { startDemoUpstream } from './demo-upstream.js';
import { removeGatewayFile, writeGatewayFile } from './gateway-file.js';
import { makeSocketFolder } from './socket-folder.js';

/** How long requests in flight may take to end after Ctrl-C. */
const DRAIN_MS = 5_000;
/** As in the rendered configuration; Envoy writes nothing of its access log at exit, so that one waits for its flush. */
const LOG_FLUSH_MS = 200;

export interface Standalone {
  gatewayUrl: string;
  upstreamUrl: string;
  databaseUrl: string;
  adminUrl: string;
  demo: Demo;
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
}

/** The whole gateway on one machine: every service in this process, PostgreSQL and Envoy as its children. */
export async function startStandalone(config: StandaloneConfig, options: StandaloneOptions): Promise<Standalone> {
  const log = loggerOf('standalone', config, options);
  const closers = createClosers((part, error) => log.error({ part, err: error }, 'could not be stopped'));
  try {
    return await startParts(config, options, closers, log);
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
}

async function startParts(
  config: StandaloneConfig,
  options: StandaloneOptions,
  closers: ReturnType<typeof createClosers>,
  log: Logger,
): Promise<Standalone> {
  const { dataFolder } = config;
  const { progress, pid } = options;
  await mkdir(dataFolder, { recursive: true, mode: 0o700 });
  const claim = await claimFolder(dataFolder, pid);
  closers.add('claim', () => claim.release());
  for (const name of await endRecordedOrphans(dataFolder)) progress(`Ended ${name}, which an earlier run had left behind.`);

  const envoySearch = { envoyPath: config.envoyPath, cacheFolder: config.cacheFolder, log: progress };
  const [envoyBinary, databaseUrl] = await Promise.all([findEnvoy(envoySearch), startDatabase()]);
  await migrateUp({ url: databaseUrl, folder: options.migrationsFolder });
  const demo = await withDatabase(databaseUrl, (db) => prepareDemo(db, dataFolder));

  const sockets = await makeSocketFolder(dataFolder);
  closers.add('sockets', () => sockets.remove());
  const socket = (name: string): string => join(sockets.path, `${name}.sock`);
  const environment = (service: ServiceName) => serviceEnvironment(config, service, databaseUrl, `unix:${socket(service)}`);

  const authz = await startAuthzService(readAuthzConfig(environment('authz')), { log: loggerOf('authz', config, options) });
  closers.add('authz', () => authz.close());
  const ratelimit = await startRateLimitService(readRateLimitConfig(environment('ratelimit')), {
    log: loggerOf('ratelimit', config, options),
  });
  closers.add('ratelimit', () => ratelimit.close());
  // The writer ends after the collector, and stores what that still brought in.
  const writer = await startWriter(readWriterConfig(environment('writer')), { log: loggerOf('writer', config, options) });
  closers.add('writer', () => writer.close({ drain: true }));
  const collector = await startCollector(readCollectorConfig(environment('collector')), {
    log: loggerOf('collector', config, options),
  });
  closers.add('collector', () => collector.close());

  const upstreamUrl = config.upstreamUrl ?? (await startUpstream());
  const gatewayPort = config.gatewayPort === 0 ? await freePort() : config.gatewayPort;
  const envoy = await startEnvoy({
    binary: envoyBinary.path,
    configYaml: renderEnvoyConfig({
      gateway: { host: '0.0.0.0', port: gatewayPort },
      admin: { host: '127.0.0.1', port: config.envoyAdminPort },
      nodeId: await nodeIdOf(dataFolder),
      version: VERSION,
      upstreamUrl,
      upstreamTimeoutMs: config.upstreamTimeoutMs,
      authz: [{ unix: socket('authz') }],
      ratelimit: [{ unix: socket('ratelimit') }],
      usage: [{ unix: socket('collector') }],
      corsOrigins: config.corsOrigins,
      tls: config.tls,
    }),
    folder: join(dataFolder, 'envoy'),
    recordIn: dataFolder,
  });
  closers.add('envoy', () => envoy.drainAndStop({ drainMs: DRAIN_MS, logFlushMs: LOG_FLUSH_MS }));

  const gatewayUrl = `${config.tls === undefined ? 'http' : 'https'}://127.0.0.1:${gatewayPort}`;
  await writeGatewayFile(dataFolder, {
    pid,
    gatewayUrl,
    adminUrl: envoy.adminUrl,
    databaseUrl,
    services: {
      authz: `http://${authz.adminAddress}`,
      ratelimit: `http://${ratelimit.adminAddress}`,
      collector: `http://${collector.adminAddress}`,
      writer: `http://${writer.adminAddress}`,
    },
  });
  closers.add('gateway file', () => removeGatewayFile(dataFolder));

  let isClosing = false;
  return {
    gatewayUrl,
    upstreamUrl,
    databaseUrl,
    adminUrl: envoy.adminUrl,
    demo,
    failed: envoy.exited.then(() =>
      isClosing ? new Promise<never>(() => {}) : `Envoy has ended by itself; see ${join(dataFolder, 'envoy', 'envoy.log')}.`,
    ),
    close() {
      isClosing = true;
      return closers.closeAll();
    },
  };

  async function startDatabase(): Promise<string> {
    if (config.databaseUrl !== undefined) return config.databaseUrl;
    const postgres = await startPostgres({
      folder: join(dataFolder, 'postgres'),
      recordIn: dataFolder,
      log: (line) => progress(`PostgreSQL: ${line}`),
    });
    closers.add('postgres', () => postgres.close());
    return postgres.url;
  }

  async function startUpstream(): Promise<string> {
    const upstream = await startDemoUpstream();
    closers.add('demo upstream', () => upstream.close());
    return upstream.url;
  }

  async function withDatabase<Result>(
    url: string,
    use: (db: ReturnType<typeof openDatabase>) => Promise<Result>,
  ): Promise<Result> {
    const db = openDatabase({
      url,
      maxConnections: 1,
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 10_000,
      applicationName: 'tollgate standalone',
      onError: (error) => log.warn({ err: error }, 'a database connection was lost'),
    });
    try {
      return await use(db);
    } finally {
      await db.close();
    }
  }
}

function loggerOf(service: string, { logLevel }: StandaloneConfig, { logStream }: StandaloneOptions): Logger {
  return createLogger({ service, level: logLevel }, logStream);
}

/** Part of every event's id, so it must not change into another gateway's: made once and kept. */
async function nodeIdOf(dataFolder: string): Promise<string> {
  const file = join(dataFolder, 'node-id');
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (kept !== '') return kept;
  const made = `standalone-${randomUUID()}`;
  await writeFile(file, `${made}\n`);
  return made;
}
