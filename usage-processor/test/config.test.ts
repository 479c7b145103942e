import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readConfig as readCollectorConfig } from '../src/collector/config.js';
import { readConfig as readReconcilerConfig } from '../src/reconciler/config.js';
import { readConfig as readWriterConfig } from '../src/writer/config.js';

test('settings of Kafka that do not fit are told together with every other mistake, each once', () => {
  const wrong = {
    KAFKA_BROKERS: 'kafka',
    KAFKA_SASL_USERNAME: 'tollgate',
    KAFKA_TLS_CA_FILE: '/absent/ca.pem',
    USAGE_PATH: 'some',
    DATABASE_URL: 'mysql://db',
  };
  const messageOf = (read: () => unknown) => {
    try {
      return String(read());
    } catch (error) {
      return String(error);
    }
  };
  const messages = [readCollectorConfig, readWriterConfig, readReconcilerConfig].map((read) => messageOf(() => read(wrong)));
  for (const message of messages) {
    for (const name of ['KAFKA_BROKERS must', 'KAFKA_SASL_USERNAME and', 'KAFKA_TLS is false', 'KAFKA_TLS_CA_FILE: ']) {
      expect(message.split(`  ${name}`)).toHaveLength(2);
    }
  }
  expect(messages[0]).toContain('USAGE_PATH must be one of');
  expect(messages[1]).toContain('DATABASE_URL must be');
});

test('how to reach Kafka is read whole, its password from a file too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kafka-settings-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'password'), 'secret\n');
  await writeFile(join(folder, 'ca.pem'), '-----BEGIN CERTIFICATE-----\n');
  const { kafka } = readCollectorConfig({
    KAFKA_BROKERS: 'one:9092, two:9093',
    KAFKA_TLS: 'true',
    KAFKA_TLS_CA_FILE: join(folder, 'ca.pem'),
    KAFKA_SASL_USERNAME: 'tollgate',
    KAFKA_SASL_PASSWORD_FILE: join(folder, 'password'),
  });
  expect(kafka).toEqual({
    brokers: ['one:9092', 'two:9093'],
    tls: { ca: '-----BEGIN CERTIFICATE-----\n' },
    sasl: { mechanism: 'scram-sha-512', username: 'tollgate', password: 'secret' },
  });
  expect(readCollectorConfig({}).kafka).toBeUndefined();
});

test('usage goes to its own database where there is one, else to the common one', () => {
  const common = { DATABASE_URL: 'postgres://db/common' };
  expect(readWriterConfig(common).databaseUrl).toBe('postgres://db/common');
  expect(readWriterConfig({ ...common, USAGE_DATABASE_URL: 'postgres://db/usage' }).databaseUrl).toBe('postgres://db/usage');
  expect(readWriterConfig({ ...common, USAGE_DATABASE_URL: ' ' })).toMatchObject({ databaseUrl: common.DATABASE_URL });
  expect(() => readWriterConfig({})).toThrow(/DATABASE_URL is required/);
});

test('a reconciler without a file log and without Envoy has nothing to compare, and says so', () => {
  const common = { DATABASE_URL: 'postgres://db/common' };
  expect(() => readReconcilerConfig(common)).toThrow(/USAGE_FILE or ENVOY_ADMIN_URL is required/);
  expect(readReconcilerConfig({ ...common, USAGE_FILE: '/u', USAGE_DATABASE_URL: 'postgres://db/usage' })).toMatchObject({
    databaseUrl: 'postgres://db/usage',
    nodeId: 'gateway-1',
  });
});
