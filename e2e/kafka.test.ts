import { randomUUID } from 'node:crypto';
import { type KafkaServer, startKafka } from '@tollgate/testing/kafka';
import { until } from '@tollgate/testing/until';
import { beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from './gateway.js';
import { type Operator, operate } from './operator.js';

const DEADLINE_MS = 60_000;

let kafka: KafkaServer;
let gateway: Gateway;
let operator: Operator;

beforeAll(async () => {
  kafka = await startKafka();
  const env = { KAFKA_BROKERS: kafka.brokers.join(','), KAFKA_TOPIC: `usage-${randomUUID()}` };
  gateway = await startGateway({ env: { ...env, KAFKA_TIMEOUT: '1s' } });
  operator = operate(gateway);
  return async () => {
    await operator.close();
    await gateway.close();
    await kafka.close();
  };
});

async function askTimes(count: number): Promise<void> {
  for (let request = 0; request < count; request += 1) expect((await gateway.ask('/')).status).toBe(200);
}

async function stored(): Promise<number> {
  return (await operator.usage(gateway.organizationId)).length;
}

test('npm start with KAFKA_BROKERS makes the topics and brings usage through them, also what came while Kafka was away', async () => {
  await askTimes(20);
  await until(async () => (await stored()) === 20, DEADLINE_MS, 'rows of what came first');
  await kafka.kill();
  await askTimes(20);
  await kafka.start();
  await askTimes(20);
  await until(async () => (await stored()) === 60, DEADLINE_MS, 'rows of all');
});
