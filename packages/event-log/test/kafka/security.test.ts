import { randomUUID } from 'node:crypto';
import { type KafkaServer, startKafka } from '@tollgate/testing/kafka';
import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Authority, makeAuthority } from '../../../service-kit/test/certificates.js';
import type { KafkaConnection } from '../../src/kafka/kafka-client.js';
import { createKafkaEventLogReader } from '../../src/kafka/kafka-event-log-reader.js';
import { createKafkaEventLogWriter } from '../../src/kafka/kafka-event-log-writer.js';
import { createKafkaTopics, readKafkaTopics } from '../../src/kafka/kafka-topics.js';
import { anEvent } from '../an-event.js';

const DEADLINE_MS = 60_000;
const TOPIC = 'usage-events';
const LOGIN = { username: 'tollgate', password: 'canary-password' };

let authority: Authority;
let kafka: KafkaServer;
let connection: KafkaConnection;

beforeAll(async () => {
  authority = makeAuthority('a CA of Kafka');
  kafka = await startKafka({ ...authority.issue(['DNS:localhost']), ...LOGIN, clientCaPem: authority.certPem });
  const sasl = { mechanism: 'scram-sha-512' as const, ...LOGIN };
  connection = { brokers: kafka.brokers, tls: { ca: authority.certPem }, sasl };
  const settings = { partitions: 1, replicationFactor: 1, retentionMs: 86_400_000 };
  await until(async () => (await createKafkaTopics(connection, [TOPIC], settings)) && true, DEADLINE_MS, 'making a topic');
});
afterAll(() => kafka.close());

/** Sends one event and reads it back. */
async function sendAndRead(connection: KafkaConnection): Promise<void> {
  const writer = createKafkaEventLogWriter({ connection, topic: TOPIC, batchMs: 5, deadlineMs: 10_000 });
  onTestFinished(() => writer.close());
  await writer.append([anEvent(1)]);
  const reader = createKafkaEventLogReader({ connection, topic: TOPIC, group: randomUUID() });
  onTestFinished(() => reader.close());
  let read = 0;
  void reader.run(
    async () => undefined,
    async ({ records }) => {
      read += records.length;
    },
  );
  await until(() => read > 0, DEADLINE_MS, 'reading');
}

test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
  'events go through a Kafka that asks for TLS and %s',
  async (mechanism) => {
    await sendAndRead({ ...connection, sasl: { mechanism, ...LOGIN } });
  },
);

test('events go through a Kafka that asks for a certificate of its clients', async () => {
  await sendAndRead({ brokers: kafka.certificateBrokers, tls: { ca: authority.certPem, ...certificateOf(authority) } });
});

function certificateOf(issuer: Authority): { cert: string; key: string } {
  const { certPem: cert, keyPem: key } = issuer.issue(['DNS:collector']);
  return { cert, key };
}

const LOGIN_SETTINGS = 'check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM';
const CERTIFICATE_SETTINGS = 'check KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE';
const wrongLogin = (mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512') => () => ({
  ...connection,
  sasl: { mechanism, username: LOGIN.username, password: 'wrong-canary-password' },
});
const trusted = () => ({ ca: authority.certPem });

test.each<[what: string, connection: () => KafkaConnection, next: string]>([
  ['a wrong password by PLAIN', wrongLogin('plain'), LOGIN_SETTINGS],
  ['a wrong password by SCRAM-SHA-256', wrongLogin('scram-sha-256'), LOGIN_SETTINGS],
  ['a wrong password by SCRAM-SHA-512', wrongLogin('scram-sha-512'), LOGIN_SETTINGS],
  ['no password', () => ({ brokers: kafka.brokers, tls: trusted() }), 'or a login (KAFKA_SASL_USERNAME)'],
  ['no TLS', () => ({ brokers: kafka.brokers }), 'whether it asks for TLS (KAFKA_TLS)'],
  ['a CA of somebody else', () => ({ ...connection, tls: { ca: makeAuthority('b').certPem } }), 'check KAFKA_TLS_CA_FILE'],
  ['no certificate', () => ({ brokers: kafka.certificateBrokers, tls: trusted() }), CERTIFICATE_SETTINGS],
  [
    'a certificate of another CA',
    () => ({ brokers: kafka.certificateBrokers, tls: { ...trusted(), ...certificateOf(makeAuthority('b')) } }),
    CERTIFICATE_SETTINGS,
  ],
])(
  '%s is refused, to those who ask and to those who write, with what to check and without the password',
  async (_what, wrong, next) => {
    const writer = createKafkaEventLogWriter({ connection: wrong(), topic: TOPIC, batchMs: 5, deadlineMs: 10_000 });
    onTestFinished(() => writer.close());
    for (const ask of [() => readKafkaTopics(wrong(), [TOPIC]), () => writer.append([anEvent(1)])]) {
      const words = await ask().then(String, String);
      expect(words).toContain(next);
      expect(words).not.toContain('canary-password');
    }
  },
);
