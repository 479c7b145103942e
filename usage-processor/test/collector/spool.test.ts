import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { readConfig } from '../../src/collector/config.js';
import { startCollector } from '../../src/collector/service.js';
import { openAccessLogStream } from './access-log-client.js';
import { aMessage, anEntry } from './an-entry.js';

const DEADLINE_MS = 30_000;
const EVENTS_OF_A_MESSAGE = 50;
const [SERVING, NOT_SERVING] = [1, 2];

/** A collector whose Kafka never comes, with the smallest spool that there is. */
async function aCollector() {
  const folder = await mkdtemp(join(tmpdir(), 'collector-'));
  const config = readConfig({
    KAFKA_BROKERS: '127.0.0.1:1',
    KAFKA_BATCH_TIME: '5ms',
    KAFKA_TIMEOUT: '500ms',
    SPOOL_MAX: '1MiB',
    COLLECTOR_LISTEN: `unix:${join(folder, 'collector.sock')}`,
    ADMIN_LISTEN: '127.0.0.1:0',
    DATA_DIR: folder,
    LOG_LEVEL: 'silent',
  });
  const collector = await startCollector(config);
  const client = new Client(collector.address, credentials.createInsecure());
  const stream = openAccessLogStream(collector.address);
  onTestFinished(async () => {
    stream.close();
    client.close();
    await collector.close();
    await rm(folder, { recursive: true, force: true });
  });
  const metric = async (start: string) => {
    const page = await (await fetch(`http://${collector.adminAddress}/metrics`)).text();
    return Number(
      page
        .split('\n')
        .find((line) => line.startsWith(start))
        ?.split(' ')
        .at(-1),
    );
  };
  return {
    stream,
    metric,
    readiness: async () => (await fetch(`http://${collector.adminAddress}/health/ready`)).status,
    health: () =>
      new Promise<number | undefined>((resolve, reject) => {
        const bytes = (message: Buffer) => message;
        client.makeUnaryRequest('/grpc.health.v1.Health/Check', bytes, bytes, Buffer.alloc(0), (error, answer) =>
          error === null ? resolve(answer?.[1]) : reject(error),
        );
      }),
  };
}

test('a spool that fills up turns readiness at nine tenths and gRPC health when it is full, and then nothing is read or lost', async () => {
  const { stream, metric, readiness, health } = await aCollector();
  const spooled = () => metric('tollgate_usage_events_total{stage="spooled"');
  const refusals = () => metric('tollgate_usage_append_failures_total');
  const seen = new Set<string>();
  let sent = 0;
  while ((await refusals()) === 0) {
    const entries = Array.from({ length: EVENTS_OF_A_MESSAGE }, () => anEntry({ streamId: `stream ${sent++}` }));
    stream.write(aMessage(entries, 'edge-1'));
    await until(async () => (await spooled()) === sent || (await refusals()) > 0, DEADLINE_MS, 'the spool');
    const share = (await metric('tollgate_usage_spool_bytes')) / (1 << 20);
    if ((await refusals()) > 0) break;
    // Readiness remembers its last answer for half a second.
    const expected = share >= 0.9 ? 503 : 200;
    await until(async () => (await readiness()) === expected, DEADLINE_MS, `readiness at ${share}`);
    seen.add(`${expected}, ${await health()}`);
  }
  expect([...seen]).toEqual([`200, ${SERVING}`, `503, ${SERVING}`]);
  await until(async () => (await health()) === NOT_SERVING, DEADLINE_MS, 'the word of a full spool');
  expect(await metric('tollgate_usage_spool_bytes')).toBeLessThanOrEqual(1 << 20);
  expect(await metric('tollgate_usage_spool_ratio')).toBe((await metric('tollgate_usage_spool_bytes')) / (1 << 20));
  expect(await spooled()).toBe(sent - EVENTS_OF_A_MESSAGE);

  // What Envoy sends now stays in its stream, but for the little that is read ahead.
  for (let message = 0; message < 100; message += 1) {
    stream.write(aMessage(Array.from({ length: EVENTS_OF_A_MESSAGE }, () => anEntry({ streamId: `stream ${sent++}` }))));
  }
  const refusedBefore = await refusals();
  await until(async () => (await refusals()) > refusedBefore, DEADLINE_MS, 'another try');
  expect(await metric('tollgate_usage_events_total{stage="received"')).toBeLessThan((await spooled()) + 1200);
});
