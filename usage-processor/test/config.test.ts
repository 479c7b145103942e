import { expect, test } from 'vitest';
import { readConfig as readCollectorConfig } from '../src/collector/config.js';
import { readConfig as readReconcilerConfig } from '../src/reconciler/config.js';
import { readConfig as readWriterConfig } from '../src/writer/config.js';

test('Kafka is refused by name instead of ignored, together with every other mistake', () => {
  const wrong = { KAFKA_BROKERS: 'kafka:9092', USAGE_PATH: 'some', DATABASE_URL: 'mysql://db' };
  expect(() => readCollectorConfig(wrong)).toThrow(/USAGE_PATH must be one of.*\n.*KAFKA_BROKERS must not be set/);
  expect(() => readWriterConfig(wrong)).toThrow(/DATABASE_URL must be .*\n.*KAFKA_BROKERS must not be set/);
  expect(() => readReconcilerConfig(wrong)).toThrow(/DATABASE_URL must be .*\n.*USAGE_PATH must be .*\n.*KAFKA_BROKERS must not/);
});

test('usage goes to its own database where there is one, else to the common one', () => {
  const common = { DATABASE_URL: 'postgres://db/common' };
  expect(readWriterConfig(common).databaseUrl).toBe('postgres://db/common');
  expect(readWriterConfig({ ...common, USAGE_DATABASE_URL: 'postgres://db/usage' }).databaseUrl).toBe('postgres://db/usage');
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
