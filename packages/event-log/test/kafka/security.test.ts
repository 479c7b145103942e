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

let authority: Authority;
let kafka: KafkaServer;
let connection: KafkaConnection;

beforeAll(async () => {
  authority = makeAuthority('a CA of Kafka');
  const login = { username: 'tollgate', password: 'canary-password' };
  kafka = await startKafka({ ...authority.issue(['DNS:localhost']), ...login });
  const sasl = { mechanism: 'scram-sha-512' as const, ...login };
  connection = { brokers: kafka.brokers, tls: { ca: authority.certPem }, sasl };
  const settings = { partitions: 1, replicationFactor: 1, retentionMs: 86_400_000 };
  await until(async () => (await createKafkaTopics(connection, [TOPIC], settings)) && true, DEADLINE_MS, 'making a topic');
});
afterAll(() => kafka.close());

test('events go through a Kafka that asks for TLS and a password', async () => {
  const writer = createKafkaEventLogWriter({ connection, topic: TOPIC, batchMs: 5, deadlineMs: 10_000 });
  onTestFinished(() => writer.close());
  await writer.append([anEvent(1)]);
  const reader = createKafkaEventLogReader({ connection, topic: TOPIC, group: 'secure' });
  onTestFinished(() => reader.close());
  let read = 0;
  void reader.run(
    async () => undefined,
    async ({ records }) => {
      read += records.length;
    },
  );
  await until(() => read === 1, DEADLINE_MS, 'reading');
});

test('a wrong password, a CA of somebody else, and plaintext are refused, in words without the password', async () => {
  const sasl = { mechanism: 'scram-sha-512' as const, username: 'tollgate', password: 'wrong-canary-password' };
  const wrong = [
    { ...connection, sasl },
    { ...connection, tls: { ca: makeAuthority('somebody else').certPem } },
    { brokers: connection.brokers },
  ];
  for (const attempt of wrong) {
    const refused = await readKafkaTopics(attempt, [TOPIC]).then(String, String);
    expect(refused).toMatch(/^KafkaJS/);
    expect(refused).not.toContain('canary-password');
  }
});
