/** The settings of everything that reaches Kafka. */
import { readFileSync } from 'node:fs';
import {
  durationMs,
  type Environment,
  field,
  flag,
  integer,
  list,
  oneOf,
  readSettings,
  SettingsError,
  type SettingsOf,
  type Shape,
  secretField,
  text,
} from './settings.js';

export const KAFKA_SETTINGS = {
  kafkaBrokers: field('KAFKA_BROKERS', list(), {
    optional: true,
    describe: 'Kafka, as host:port parted by commas; without it usage events wait in files in DATA_DIR.',
  }),
  kafkaTopic: field('KAFKA_TOPIC', text(), {
    default: 'usage-events',
    describe: 'The topic of usage events; that of dead letters has -dead-letter behind it.',
  }),
  kafkaTls: field('KAFKA_TLS', flag(), { default: 'false', describe: 'Reach Kafka by TLS.' }),
  kafkaTlsCaFile: field('KAFKA_TLS_CA_FILE', text(), {
    optional: true,
    describe: "The CA of Kafka's brokers (PEM); the system's CAs if not set.",
  }),
  kafkaTlsCertFile: field('KAFKA_TLS_CERT_FILE', text(), {
    optional: true,
    describe: 'A certificate of our own for Kafka (PEM), where its brokers ask for one.',
  }),
  kafkaTlsKeyFile: field('KAFKA_TLS_KEY_FILE', text(), { optional: true, describe: 'The key of that certificate (PEM).' }),
  kafkaSaslMechanism: field('KAFKA_SASL_MECHANISM', oneOf('plain', 'scram-sha-256', 'scram-sha-512'), {
    default: 'scram-sha-512',
    describe: 'How to log in to Kafka, where KAFKA_SASL_USERNAME is set.',
  }),
  kafkaSaslUsername: secretField('KAFKA_SASL_USERNAME', text(), { optional: true, describe: 'Who logs in to Kafka.' }),
  kafkaSaslPassword: secretField('KAFKA_SASL_PASSWORD', text(), { optional: true, describe: 'The password for Kafka.' }),
} satisfies Shape;

/** For whoever makes the topics. */
export const KAFKA_TOPIC_SETTINGS = {
  kafkaPartitions: field('KAFKA_PARTITIONS', integer({ min: 1, max: 1000 }), {
    default: '12',
    describe: 'Of topics that are made: how many writers can share the work.',
  }),
  kafkaReplication: field('KAFKA_REPLICATION', integer({ min: 1, max: 9 }), {
    optional: true,
    describe:
      "Of topics that are made: how many brokers keep each event, of which a majority must before it counts as kept; the cluster's defaults if not set.",
  }),
  kafkaRetentionMs: field('KAFKA_RETENTION', durationMs({ minMs: 3_600_000 }), {
    default: '168h',
    describe: 'Of topics that are made: how long Kafka keeps events, stored or not.',
  }),
} satisfies Shape;

export type KafkaSettings = SettingsOf<typeof KAFKA_SETTINGS>;

/** What a client of Kafka takes of these settings. The certificates are PEM. */
export interface KafkaConnectionSettings {
  brokers: readonly string[];
  tls: { ca?: string; cert?: string; key?: string } | undefined;
  sasl: { mechanism: KafkaSettings['kafkaSaslMechanism']; username: string; password: string } | undefined;
}

/** How to reach Kafka; undefined where there is none. Throws SettingsError with everything that is wrong with it. */
export function readKafkaConnection(env: Environment): KafkaConnectionSettings | undefined {
  const settings = readSettings(KAFKA_SETTINGS, env);
  const { kafkaBrokers: brokers } = settings;
  if (brokers === undefined) return undefined;
  const files = readPemFiles(settings);
  const problems = [...addressProblems(brokers), ...partProblems(settings), ...files.problems];
  if (problems.length > 0) throw new SettingsError(problems);
  return { brokers, tls: settings.kafkaTls ? files.pem : undefined, sasl: saslOf(settings) };
}

function addressProblems(brokers: readonly string[]): string[] {
  const isAddress = (broker: string) => /^(\[[0-9a-fA-F:]+\]|[^\s:/@]+):\d{1,5}$/.test(broker);
  return brokers.every(isAddress) ? [] : ['KAFKA_BROKERS must be host:port, or several of them parted by commas.'];
}

function partProblems(settings: KafkaSettings): string[] {
  const { kafkaSaslUsername: username, kafkaSaslPassword: password, kafkaTlsCertFile: cert, kafkaTlsKeyFile: key } = settings;
  const problems: string[] = [];
  if ((username === undefined) !== (password === undefined)) {
    problems.push('KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD belong together: set both or none.');
  }
  if ((cert === undefined) !== (key === undefined)) {
    problems.push('KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE belong together: set both or none.');
  }
  if (!settings.kafkaTls && (cert ?? key ?? settings.kafkaTlsCaFile) !== undefined) {
    problems.push('KAFKA_TLS is false although files for it are named: set KAFKA_TLS=true.');
  }
  return problems;
}

function saslOf({ kafkaSaslMechanism: mechanism, kafkaSaslUsername: username, kafkaSaslPassword: password }: KafkaSettings) {
  return username === undefined || password === undefined ? undefined : { mechanism, username, password };
}

function readPemFiles(settings: KafkaSettings) {
  const problems: string[] = [];
  const pem: { ca?: string; cert?: string; key?: string } = {};
  for (const [part, from] of [
    ['ca', 'kafkaTlsCaFile'],
    ['cert', 'kafkaTlsCertFile'],
    ['key', 'kafkaTlsKeyFile'],
  ] as const) {
    const path = settings[from];
    if (path === undefined) continue;
    try {
      pem[part] = readFileSync(path, 'utf8');
      if (!pem[part].includes('-----BEGIN ')) problems.push(`${KAFKA_SETTINGS[from].name}: ${path} is no PEM file.`);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
      problems.push(`${KAFKA_SETTINGS[from].name}: ${path} cannot be read (${code}).`);
    }
  }
  return { pem, problems };
}
