import { expect, test } from 'vitest';
import { readConfig as readCollectorConfig } from '../src/collector/config.js';
import { readConfig as readWriterConfig } from '../src/writer/config.js';

test('Kafka is refused by name instead of ignored, together with every other mistake', () => {
  const wrong = { KAFKA_BROKERS: 'kafka:9092', USAGE_PATH: 'some', DATABASE_URL: 'mysql://db' };
  expect(() => readCollectorConfig(wrong)).toThrow(/USAGE_PATH must be one of.*\n.*KAFKA_BROKERS must not be set/);
  expect(() => readWriterConfig(wrong)).toThrow(/DATABASE_URL must be .*\n.*KAFKA_BROKERS must not be set/);
});

test('usage goes to its own database where there is one, else to the common one', () => {
  const common = { DATABASE_URL: 'postgres://db/common' };
  expect(readWriterConfig(common).databaseUrl).toBe('postgres://db/common');
  expect(readWriterConfig({ ...common, USAGE_DATABASE_URL: 'postgres://db/usage' }).databaseUrl).toBe('postgres://db/usage');
  expect(() => readWriterConfig({})).toThrow(/DATABASE_URL is required/);
});
