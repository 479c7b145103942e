import { GRPC_SETTINGS, readGrpcSettings } from '@tollgate/service-kit/grpc-settings';
import { LOG_LEVEL } from '@tollgate/service-kit/log';
import { REDIS_SETTINGS, type RedisServer, redisServer } from '@tollgate/service-kit/redis-settings';
import {
  durationMs,
  type Environment,
  field,
  integer,
  listenAddress,
  oneOf,
  readSettings,
  readTogether,
  type SettingsOf,
  secretField,
  text,
  url,
} from '@tollgate/service-kit/settings';
import { TRACING_SETTINGS } from '@tollgate/service-kit/tracing-settings';

export const SETTINGS = {
  listen: field('RATELIMIT_LISTEN', listenAddress(), {
    default: '127.0.0.1:8081',
    describe: 'Where Envoy asks: host:port or unix:/path.',
  }),
  adminListen: field('ADMIN_LISTEN', listenAddress(), { default: '127.0.0.1:9102', describe: 'Health and /metrics over HTTP.' }),
  adminToken: secretField(
    'ADMIN_TOKEN',
    text()
      .refine((token) => token.length >= 32, 'must have at least 32 characters')
      .describe('text of at least 32 characters'),
    {
      optional: true,
      describe: 'Who sends it may look at counters and reset them, at ADMIN_LISTEN on loopback or a unix socket.',
    },
  ),
  databaseUrl: secretField('DATABASE_URL', url('postgres', 'postgresql'), {
    optional: true,
    describe: 'PostgreSQL with organizations and limits; with RATELIMIT_CONFIG it may be left out.',
  }),
  databaseConnections: field('DATABASE_CONNECTIONS', integer({ min: 1, max: 100 }), {
    default: '2',
    describe: 'Connections for look-ups of limits.',
  }),
  lookupTimeoutMs: field('LIMITS_LOOKUP_TIMEOUT', durationMs(), {
    default: '200ms',
    describe: 'Deadline of one look-up of limits.',
  }),
  store: field('RATELIMIT_STORE', oneOf('redis', 'memory'), {
    default: 'redis',
    describe: 'Where buckets and quotas live; memory is for one instance alone.',
  }),
  ...REDIS_SETTINGS,
  storeTimeoutMs: field('RATELIMIT_STORE_TIMEOUT', durationMs({ minMs: 1 }), {
    default: '8ms',
    describe: 'Deadline of one take.',
  }),
  storeDown: field('RATELIMIT_STORE_DOWN', oneOf('local', 'allow', 'deny'), {
    default: 'local',
    describe: 'What decides while Redis is gone: a local bucket with this instance’s share, or always the same answer.',
  }),
  headers: field('RATELIMIT_HEADERS', oneOf('x-ratelimit', 'ietf', 'both'), {
    default: 'x-ratelimit',
    describe:
      'How callers are told of their limits: X-RateLimit-…, the RateLimit and RateLimit-Policy of the IETF’s draft, or both.',
  }),
  instances: field('RATELIMIT_INSTANCES', integer({ min: 1, max: 10_000 }), {
    default: '1',
    describe: 'How many instances share the limits while Redis is gone.',
  }),
  dataDir: field('DATA_DIR', text(), {
    optional: true,
    describe: 'With RATELIMIT_STORE=memory: where quotas outlive a restart.',
  }),
  organizations: field('LIMITS_CACHE_SIZE', integer({ min: 1, max: 10_000_000 }), {
    default: '100000',
    describe: 'Organizations whose limits are held in memory.',
  }),
  ...GRPC_SETTINGS,
  ...TRACING_SETTINGS,
  rulesPath: field('RATELIMIT_CONFIG', text(), {
    optional: true,
    describe: 'Rules for other domains than tollgate, in the YAML of envoyproxy/ratelimit: a file, or a folder with files.',
  }),
  logLevel: LOG_LEVEL,
};

export interface RateLimitConfig extends SettingsOf<typeof SETTINGS> {
  /** What the settings of Redis come to. */
  redis: RedisServer | undefined;
}

/** Reads the settings of this service. Throws one SettingsError that names every mistake. */
export function readConfig(env: Environment): RateLimitConfig {
  const needsRedis = env['RATELIMIT_STORE']?.trim() !== 'memory';
  const redisUrl = needsRedis ? { ...SETTINGS.redisUrl, isOptional: false } : SETTINGS.redisUrl;
  const needsDatabase = !env['RATELIMIT_CONFIG']?.trim();
  const databaseUrl = needsDatabase ? { ...SETTINGS.databaseUrl, isOptional: false } : SETTINGS.databaseUrl;
  const [settings, redis] = readTogether(
    () => readGrpcSettings({ ...SETTINGS, redisUrl, databaseUrl }, env),
    () => redisServer(readSettings({ ...REDIS_SETTINGS, redisUrl }, env)),
  );
  return { ...settings, redis };
}
