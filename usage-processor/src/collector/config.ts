import { GRPC_SETTINGS, readGrpcSettings } from '@tollgate/service-kit/grpc-settings';
import { KAFKA_SETTINGS, type KafkaConnectionSettings, readKafkaConnection } from '@tollgate/service-kit/kafka-settings';
import { LOG_LEVEL } from '@tollgate/service-kit/log';
import {
  bytes,
  durationMs,
  type Environment,
  field,
  integer,
  listenAddress,
  oneOf,
  readTogether,
  type SettingsOf,
  text,
} from '@tollgate/service-kit/settings';

export const SETTINGS = {
  listen: field('COLLECTOR_LISTEN', listenAddress(), {
    default: '127.0.0.1:50052',
    describe: 'Where Envoy sends its access log: host:port or unix:/path.',
  }),
  adminListen: field('ADMIN_LISTEN', listenAddress(), { default: '127.0.0.1:9103', describe: 'Health and /metrics over HTTP.' }),
  dataDir: field('DATA_DIR', text(), {
    default: '.tollgate',
    describe: 'The event log lies in its folder events; with Kafka, what waits for it in its folder spool.',
  }),
  path: field('USAGE_PATH', oneOf('full', 'route', 'off'), {
    default: 'full',
    describe: 'What events keep of a path: path and name of the route, the name alone, or neither.',
  }),
  ...KAFKA_SETTINGS,
  batchEvents: field('KAFKA_BATCH_EVENTS', integer({ min: 1, max: 10_000 }), {
    default: '100',
    describe: 'So many events are sent to Kafka at once, without waiting for more.',
  }),
  batchMs: field('KAFKA_BATCH_TIME', durationMs({ maxMs: 10_000 }), {
    default: '500ms',
    describe: 'How long fewer events wait for others to come.',
  }),
  kafkaTimeoutMs: field('KAFKA_TIMEOUT', durationMs({ minMs: 100, maxMs: 60_000 }), {
    default: '5s',
    describe: 'How long Kafka may take to acknowledge events before they go to the spool.',
  }),
  spoolBytes: field('SPOOL_MAX', bytes({ min: 1 << 20 }), {
    default: '1GiB',
    describe: 'What may wait for Kafka in the folder spool of DATA_DIR.',
  }),
  ...GRPC_SETTINGS,
  logLevel: LOG_LEVEL,
};

export type CollectorConfig = SettingsOf<typeof SETTINGS> & {
  /** Undefined where events go to files. */
  kafka: KafkaConnectionSettings | undefined;
};

/** Reads the settings of the collector. Throws one SettingsError that names every mistake. */
export function readConfig(env: Environment): CollectorConfig {
  const [settings, kafka] = readTogether(
    () => readGrpcSettings(SETTINGS, env),
    () => readKafkaConnection(env),
  );
  return { ...settings, kafka };
}
