import { GRPC_SETTINGS, readGrpcSettings } from '@tollgate/service-kit/grpc-settings';
import { LOG_LEVEL } from '@tollgate/service-kit/log';
import {
  durationMs,
  type Environment,
  field,
  flag,
  integer,
  listenAddress,
  type SettingsOf,
  secretField,
  url,
} from '@tollgate/service-kit/settings';
import { TRACING_SETTINGS } from '@tollgate/service-kit/tracing-settings';

export const SETTINGS = {
  listen: field('AUTHZ_LISTEN', listenAddress(), {
    default: '127.0.0.1:50051',
    describe: 'Where Envoy asks: host:port or unix:/path.',
  }),
  adminListen: field('ADMIN_LISTEN', listenAddress(), { default: '127.0.0.1:9101', describe: 'Health and /metrics over HTTP.' }),
  databaseUrl: secretField('DATABASE_URL', url('postgres', 'postgresql'), {
    describe: 'PostgreSQL with organizations and keys.',
  }),
  databaseConnections: field('DATABASE_CONNECTIONS', integer({ min: 1, max: 100 }), {
    default: '4',
    describe: 'Connections for key look-ups.',
  }),
  lookupTimeoutMs: field('KEY_LOOKUP_TIMEOUT', durationMs(), { default: '200ms', describe: 'Deadline of one key look-up.' }),
  cacheKeys: field('KEY_CACHE_SIZE', integer({ min: 1, max: 10_000_000 }), {
    default: '100000',
    describe: 'Keys held in memory.',
  }),
  cacheTtlMs: field('KEY_CACHE_TTL', durationMs(), { default: '15m', describe: 'Age at which a cached key is read again.' }),
  maxStaleMs: field('MAX_STALE', durationMs(), { default: '10m', describe: 'How long cached keys go on without the database.' }),
  acceptsForeignKeys: field('ACCEPT_FOREIGN_KEYS', flag(), {
    default: 'false',
    describe: 'Let in imported keys that another system made. They have no checksum, so every typo is a look-up.',
  }),
  maxLoopDelayMs: field('MAX_LOOP_DELAY', durationMs({ minMs: 1 }), {
    default: '100ms',
    describe: 'When work comes later than this for half a second on end, calls are refused at once with 503.',
  }),
  ...GRPC_SETTINGS,
  ...TRACING_SETTINGS,
  logLevel: LOG_LEVEL,
};

export type AuthzConfig = SettingsOf<typeof SETTINGS>;

/** Reads the settings of this service. Throws one SettingsError that names every mistake. */
export function readConfig(env: Environment): AuthzConfig {
  return readGrpcSettings(SETTINGS, env);
}
