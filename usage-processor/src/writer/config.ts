import { KAFKA_SETTINGS, type KafkaConnectionSettings, readKafkaConnection } from '@tollgate/service-kit/kafka-settings';
import { LOG_LEVEL } from '@tollgate/service-kit/log';
import {
  type Environment,
  field,
  integer,
  isSet,
  listenAddress,
  readSettings,
  readTogether,
  type SettingsOf,
  secretField,
  text,
  url,
} from '@tollgate/service-kit/settings';

export const SETTINGS = {
  adminListen: field('ADMIN_LISTEN', listenAddress(), { default: '127.0.0.1:9104', describe: 'Health and /metrics over HTTP.' }),
  dataDir: field('DATA_DIR', text(), { default: '.tollgate', describe: 'The event log lies in its folders events and replays.' }),
  databaseUrl: secretField('USAGE_DATABASE_URL', url('postgres', 'postgresql'), {
    describe: 'PostgreSQL with the usage tables; DATABASE_URL where it is not set.',
  }),
  mainDatabaseUrl: secretField('DATABASE_URL', url('postgres', 'postgresql'), {
    optional: true,
    describe: 'PostgreSQL with organizations and keys, whose old changes are deleted here.',
  }),
  ...KAFKA_SETTINGS,
  batchEvents: field('WRITER_BATCH_EVENTS', integer({ min: 1, max: 50_000 }), {
    default: '5000',
    describe: 'How many events from Kafka are stored in one transaction at most.',
  }),
  logLevel: LOG_LEVEL,
};

/** `mainDatabaseUrl` only where usage has a database of its own; `kafka` undefined where events wait in files. */
export type WriterConfig = SettingsOf<typeof SETTINGS> & { kafka: KafkaConnectionSettings | undefined };

/** Reads the settings of the writer. Throws one SettingsError that names every mistake. */
export function readConfig(env: Environment): WriterConfig {
  const [settings, kafka] = readTogether(
    () => readOwnSettings(env),
    () => readKafkaConnection(env),
  );
  return { ...settings, kafka };
}

function readOwnSettings(env: Environment): SettingsOf<typeof SETTINGS> {
  if (isSet(SETTINGS.databaseUrl, env)) return readSettings(SETTINGS, env);
  const { mainDatabaseUrl, ...shape } = SETTINGS;
  const databaseUrl = { ...SETTINGS.databaseUrl, name: mainDatabaseUrl.name };
  return { ...readSettings({ ...shape, databaseUrl }, env), mainDatabaseUrl: undefined };
}
