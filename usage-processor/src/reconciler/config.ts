import { KAFKA_SETTINGS, type KafkaConnectionSettings, readKafkaConnection } from '@tollgate/service-kit/kafka-settings';
import { LOG_LEVEL } from '@tollgate/service-kit/log';
import {
  bytes,
  durationMs,
  type Environment,
  field,
  isSet,
  listenAddress,
  oneOf,
  readSettings,
  readTogether,
  SettingsError,
  type SettingsOf,
  secretField,
  text,
  url,
} from '@tollgate/service-kit/settings';

export const SETTINGS = {
  adminListen: field('ADMIN_LISTEN', listenAddress(), { default: '127.0.0.1:9105', describe: 'Health and /metrics over HTTP.' }),
  dataDir: field('DATA_DIR', text(), {
    default: '.tollgate',
    describe: 'Without Kafka, missing events go into its folder replays, for the writer.',
  }),
  databaseUrl: secretField('USAGE_DATABASE_URL', url('postgres', 'postgresql'), {
    describe: 'PostgreSQL with the usage tables; DATABASE_URL where it is not set.',
  }),
  usageFile: field('USAGE_FILE', text(), {
    optional: true,
    describe:
      "The file log that Envoy writes on this machine (config render --usage-file). Without it Envoy's counters are compared.",
  }),
  nodeId: field('USAGE_NODE_ID', text(), {
    default: 'gateway-1',
    describe: "The node id in this gateway's Envoy configuration, which the file does not hold.",
  }),
  path: field('USAGE_PATH', oneOf('full', 'route', 'off'), { default: 'full', describe: 'As the collector has it.' }),
  envoyAdminUrl: field('ENVOY_ADMIN_URL', url('http'), {
    optional: true,
    describe: "Envoy's admin interface. With it the file log is rotated here; without it that is left to others.",
  }),
  maxFileBytes: field('USAGE_FILE_MAX_SIZE', bytes({ min: 1 }), {
    default: '256MiB',
    describe: 'The file log is rotated at this size.',
  }),
  keepMs: field('USAGE_FILE_KEEP', durationMs(), {
    default: '1h',
    describe: 'A rotated file that is wholly checked is deleted this long after its last line.',
  }),
  maxTotalBytes: field('USAGE_FILE_MAX_TOTAL', bytes({ min: 1 }), {
    default: '4GiB',
    describe: 'All rotated files together; beyond it the oldest is deleted, checked or not.',
  }),
  graceMs: field('USAGE_GRACE', durationMs({ minMs: 1 }), {
    default: '10s',
    describe: 'How long after its end a minute waits before it is compared.',
  }),
  ...KAFKA_SETTINGS,
  logLevel: LOG_LEVEL,
};

/** `kafka` undefined where missing events go into files. */
export type ReconcilerConfig = SettingsOf<typeof SETTINGS> & { kafka: KafkaConnectionSettings | undefined };

/** Reads the settings of the reconciler. Throws one SettingsError that names every mistake. */
export function readConfig(env: Environment): ReconcilerConfig {
  const [settings, kafka] = readTogether(
    () => readOwnSettings(env),
    () => readKafkaConnection(env),
  );
  return { ...settings, kafka };
}

function readOwnSettings(env: Environment): SettingsOf<typeof SETTINGS> {
  const databaseUrl = { ...SETTINGS.databaseUrl, name: 'DATABASE_URL' };
  const settings = readSettings(isSet(SETTINGS.databaseUrl, env) ? SETTINGS : { ...SETTINGS, databaseUrl }, env);
  if (settings.usageFile === undefined && settings.envoyAdminUrl === undefined) {
    throw new SettingsError(['USAGE_FILE or ENVOY_ADMIN_URL is required: without either there is nothing to compare with.']);
  }
  return settings;
}
