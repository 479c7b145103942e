import { join, resolve } from 'node:path';
import {
  KAFKA_SETTINGS,
  KAFKA_TOPIC_SETTINGS,
  type KafkaConnectionSettings,
  readKafkaConnection,
} from '@tollgate/service-kit/kafka-settings';
import { REDIS_SETTINGS, type RedisServer, redisServer } from '@tollgate/service-kit/redis-settings';
import {
  type Environment,
  field,
  readSettings,
  readTogether,
  type SettingsOf,
  secretField,
  text,
  url,
} from '@tollgate/service-kit/settings';

export const SETTINGS = {
  databaseUrl: secretField('DATABASE_URL', url('postgres', 'postgresql'), {
    optional: true,
    describe: 'PostgreSQL with organizations and keys; without it that of the gateway that runs in this folder.',
  }),
  usageDatabaseUrl: secretField('USAGE_DATABASE_URL', url('postgres', 'postgresql'), {
    optional: true,
    describe: 'PostgreSQL with usage, where that is another.',
  }),
  ...REDIS_SETTINGS,
  ...KAFKA_SETTINGS,
  ...KAFKA_TOPIC_SETTINGS,
  dataDir: field('DATA_DIR', text(), { default: '.tollgate', describe: 'Where a gateway of this folder keeps its data.' }),
  actor: field('TOLLGATE_ACTOR', text(), {
    optional: true,
    describe: "Who does it, for the audit log; default: the system's user.",
  }),
  envoyPath: field('ENVOY_PATH', text(), { optional: true, describe: 'The Envoy that config validate asks.' }),
  cacheHome: field('XDG_CACHE_HOME', text(), {
    optional: true,
    describe: 'Where a downloaded Envoy is kept; default: ~/.cache.',
  }),
};

export interface CliConfig extends SettingsOf<typeof KAFKA_SETTINGS & typeof KAFKA_TOPIC_SETTINGS> {
  databaseUrl: string | undefined;
  usageDatabaseUrl: string | undefined;
  redis: RedisServer | undefined;
  /** Undefined where usage events wait in files. */
  kafka: KafkaConnectionSettings | undefined;
  /** Absolute. */
  dataFolder: string;
  actor: string | undefined;
  envoyPath: string | undefined;
  cacheFolder: string;
}

/** Reads the settings of the CLI. Throws one SettingsError that names every mistake. */
export function readConfig(env: Environment, homeFolder: string): CliConfig {
  const [{ dataDir, cacheHome, ...settings }, redis, kafka] = readTogether(
    () => readSettings(SETTINGS, env),
    () => redisServer(readSettings(REDIS_SETTINGS, env)),
    () => readKafkaConnection(env),
  );
  return {
    ...settings,
    redis,
    kafka,
    dataFolder: resolve(dataDir),
    cacheFolder: join(cacheHome ?? join(homeFolder, '.cache'), 'tollgate'),
  };
}
