import { LOG_LEVEL } from '@tollgate/service-kit/log';
import { field, listenAddress, readSettings, type SettingsOf, secretField, text, url } from '@tollgate/service-kit/settings';

const NO_KAFKA_YET = 'must not be set: this version keeps usage events in files in DATA_DIR only';

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
  kafkaBrokers: field(
    'KAFKA_BROKERS',
    text().refine(() => false, NO_KAFKA_YET),
    { optional: true, describe: 'Not supported yet.' },
  ),
  logLevel: LOG_LEVEL,
};

/** `mainDatabaseUrl` only where usage has a database of its own. */
export type WriterConfig = SettingsOf<typeof SETTINGS>;

/** Reads the settings of the writer. Throws one SettingsError that names every mistake. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): WriterConfig {
  const hasOwnDatabase = Boolean(env['USAGE_DATABASE_URL'] || env['USAGE_DATABASE_URL_FILE']);
  if (hasOwnDatabase) return readSettings(SETTINGS, env);
  const { mainDatabaseUrl, ...shape } = SETTINGS;
  const databaseUrl = { ...SETTINGS.databaseUrl, name: mainDatabaseUrl.name };
  return { ...readSettings({ ...shape, databaseUrl }, env), mainDatabaseUrl: undefined };
}
