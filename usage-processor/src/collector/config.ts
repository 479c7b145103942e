import { GRPC_SETTINGS, readGrpcSettings } from '@tollgate/service-kit/grpc-settings';
import { LOG_LEVEL } from '@tollgate/service-kit/log';
import { type Environment, field, listenAddress, oneOf, type SettingsOf, text } from '@tollgate/service-kit/settings';

const NO_KAFKA_YET = 'must not be set: this version keeps usage events in files in DATA_DIR only';

export const SETTINGS = {
  listen: field('COLLECTOR_LISTEN', listenAddress(), {
    default: '127.0.0.1:50052',
    describe: 'Where Envoy sends its access log: host:port or unix:/path.',
  }),
  adminListen: field('ADMIN_LISTEN', listenAddress(), { default: '127.0.0.1:9103', describe: 'Health and /metrics over HTTP.' }),
  dataDir: field('DATA_DIR', text(), { default: '.tollgate', describe: 'The event log lies in its folder events.' }),
  path: field('USAGE_PATH', oneOf('full', 'route', 'off'), {
    default: 'full',
    describe: 'What events keep of a path: path and name of the route, the name alone, or neither.',
  }),
  kafkaBrokers: field(
    'KAFKA_BROKERS',
    text().refine(() => false, NO_KAFKA_YET),
    { optional: true, describe: 'Not supported yet.' },
  ),
  ...GRPC_SETTINGS,
  logLevel: LOG_LEVEL,
};

export type CollectorConfig = SettingsOf<typeof SETTINGS>;

/** Reads the settings of the collector. Throws one SettingsError that names every mistake. */
export function readConfig(env: Environment): CollectorConfig {
  return readGrpcSettings(SETTINGS, env);
}
