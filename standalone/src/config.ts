import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { GatewayRoute } from '@tollgate/envoy-config/options';
import {
  KAFKA_SETTINGS,
  KAFKA_TOPIC_SETTINGS,
  type KafkaConnectionSettings,
  readKafkaConnection,
} from '@tollgate/service-kit/kafka-settings';
import { LOG_LEVEL } from '@tollgate/service-kit/log';
import { redisUrl } from '@tollgate/service-kit/redis-settings';
import {
  durationMs,
  type Environment,
  field,
  flag,
  integer,
  list,
  readSettings,
  readTogether,
  SettingsError,
  type SettingsOf,
  secretField,
  share,
  text,
  url,
} from '@tollgate/service-kit/settings';
import { TRACING_SETTINGS } from '@tollgate/service-kit/tracing-settings';
import { readRoutes } from './read-routes.js';

const PORT = { min: 0, max: 65_535 };

export const SETTINGS = {
  gatewayPort: field('GATEWAY_PORT', integer(PORT), { default: '8080', describe: 'Where callers connect; 0 picks a free port.' }),
  envoyAdminPort: field('ENVOY_ADMIN_PORT', integer(PORT), {
    default: '9901',
    describe: "Envoy's admin interface, on loopback; 0 picks a free port.",
  }),
  upstreamUrl: field('UPSTREAM_URL', url('http', 'https'), {
    optional: true,
    describe: 'The API behind the gateway; without it a demo upstream answers.',
  }),
  routesFile: field('ROUTES_FILE', text(), {
    optional: true,
    describe: 'Several APIs in place of UPSTREAM_URL: a list of routes in YAML or JSON; see docs/operations.md.',
  }),
  upstreamTimeoutMs: field('UPSTREAM_TIMEOUT', durationMs(), { default: '15s', describe: 'How long the upstream may take.' }),
  corsOrigins: field('CORS_ORIGINS', list(), { optional: true, describe: 'Origins whose browsers may call, parted by commas.' }),
  tlsCertFile: field('GATEWAY_TLS_CERT_FILE', text(), {
    optional: true,
    describe: 'Certificate (PEM): callers then connect by TLS.',
  }),
  tlsKeyFile: field('GATEWAY_TLS_KEY_FILE', text(), { optional: true, describe: 'The key of that certificate (PEM).' }),
  dataDir: field('DATA_DIR', text(), { default: '.tollgate', describe: 'Where everything is kept.' }),
  databaseUrl: secretField('DATABASE_URL', url('postgres', 'postgresql'), {
    optional: true,
    describe: 'Replaces the embedded PostgreSQL.',
  }),
  usageDatabaseUrl: secretField('USAGE_DATABASE_URL', url('postgres', 'postgresql'), {
    optional: true,
    describe: 'Keeps usage in a database of its own.',
  }),
  redisUrl: secretField('REDIS_URL', redisUrl(), { optional: true, describe: 'Replaces the in-process limits.' }),
  ...KAFKA_SETTINGS,
  ...KAFKA_TOPIC_SETTINGS,
  envoyPath: field('ENVOY_PATH', text(), { optional: true, describe: 'The Envoy to run, instead of one on the PATH or by pip.' }),
  cacheHome: field('XDG_CACHE_HOME', text(), {
    optional: true,
    describe: 'Where a downloaded Envoy is kept; default: ~/.cache.',
  }),
  ...TRACING_SETTINGS,
  sampledShare: field('OTEL_TRACES_SAMPLER_ARG', share(), {
    default: '1',
    describe: 'Of requests without a traceparent, how many are traced, with OTEL_EXPORTER_OTLP_ENDPOINT.',
  }),
  areTracesRestarted: field('TRACE_RESTART', flag(), {
    default: 'false',
    describe: 'Every trace begins at the gateway: what callers say in traceparent is dropped.',
  }),
  logLevel: LOG_LEVEL,
};

export interface StandaloneConfig
  extends Omit<SettingsOf<typeof SETTINGS>, 'dataDir' | 'cacheHome' | 'routesFile' | 'tlsCertFile' | 'tlsKeyFile'> {
  /** In place of the one upstream. */
  routes: readonly GatewayRoute[] | undefined;
  /** Absolute. */
  dataFolder: string;
  cacheFolder: string;
  /** Where usage events wait in place of files. */
  kafka: KafkaConnectionSettings | undefined;
  tls: { certFile: string; keyFile: string } | undefined;
  /** What the services are told besides what is theirs here. */
  environment: Environment;
}

/** Reads the settings of `npm start`. Throws one SettingsError that names every mistake. */
export function readConfig(env: Environment, homeFolder: string): StandaloneConfig {
  const [{ dataDir, cacheHome, routesFile, tlsCertFile, tlsKeyFile, ...settings }, kafka] = readTogether(
    () => readSettings(SETTINGS, env),
    () => readKafkaConnection(env),
  );
  if ((tlsCertFile === undefined) !== (tlsKeyFile === undefined)) {
    throw new SettingsError(['GATEWAY_TLS_CERT_FILE and GATEWAY_TLS_KEY_FILE belong together: set both or none.']);
  }
  if (routesFile !== undefined && settings.upstreamUrl !== undefined) {
    throw new SettingsError(['UPSTREAM_URL and ROUTES_FILE exclude each other: set one of them.']);
  }
  return {
    ...settings,
    kafka,
    routes: routesFile === undefined ? undefined : readRoutes(routesFile),
    dataFolder: resolve(dataDir),
    cacheFolder: join(cacheHome ?? join(homeFolder, '.cache'), 'tollgate'),
    tls: tlsCertFile && tlsKeyFile ? { certFile: resolve(tlsCertFile), keyFile: resolve(tlsKeyFile) } : undefined,
    environment: env,
  };
}

export type ServiceName = 'authz' | 'ratelimit' | 'collector' | 'writer' | 'reconciler';

/** What each service is told here, over the user's own settings: its socket for Envoy, and a free port for its health. */
export function serviceSettings(
  { dataFolder, redisUrl, environment }: Pick<StandaloneConfig, 'dataFolder' | 'redisUrl'> & Partial<StandaloneConfig>,
  databaseUrl: string,
  socketFolder: string,
  nodeId: string,
): Record<ServiceName, Record<string, string>> {
  // Only the twin as a file could stand against it.
  const database = { DATABASE_URL: databaseUrl, DATABASE_URL_FILE: '' };
  const admin = { ADMIN_LISTEN: '127.0.0.1:0' };
  // A user's TLS is for services that Envoy reaches over a network; here it reaches them over sockets of this user alone.
  const grpc = { TLS_CERT_FILE: '', TLS_KEY_FILE: '', TLS_CA_FILE: '', TLS_ALLOWED_SANS: '', DRAIN_TIME: '0s' };
  const at = (service: ServiceName): string => `unix:${join(socketFolder, `${service}.sock`)}`;
  const store = redisUrl === undefined ? 'memory' : 'redis';
  // Here the event loop is shared with four other services, and the processors with Envoy and PostgreSQL.
  const MAX_LOOP_DELAY = environment?.['MAX_LOOP_DELAY'] || '250ms';
  return {
    authz: { ...database, ...admin, ...grpc, AUTHZ_LISTEN: at('authz'), MAX_LOOP_DELAY },
    ratelimit: {
      ...database,
      ...admin,
      ...grpc,
      RATELIMIT_LISTEN: at('ratelimit'),
      RATELIMIT_STORE: store,
      DATA_DIR: dataFolder,
      // A new one at each start, which the gateway file tells to commands in this folder.
      ADMIN_TOKEN: randomBytes(32).toString('base64url'),
      ADMIN_TOKEN_FILE: '',
    },
    collector: { ...admin, ...grpc, COLLECTOR_LISTEN: at('collector'), DATA_DIR: dataFolder },
    writer: { ...database, ...admin, DATA_DIR: dataFolder },
    // What its user set for a reconciler of his own would make it look at another gateway.
    reconciler: {
      ...{ ...database, ...admin, DATA_DIR: dataFolder, USAGE_FILE: usageFileIn(dataFolder), USAGE_NODE_ID: nodeId },
      // Made true when Envoy runs, before the reconciler is started.
      ENVOY_ADMIN_URL: '',
    },
  };
}

/** Envoy's own record of usage, on this disk. */
export function usageFileIn(dataFolder: string): string {
  return join(dataFolder, 'envoy', 'usage.jsonl');
}
