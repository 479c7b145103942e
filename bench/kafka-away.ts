/**
 * `npm run bench -- kafka-away [--seconds 30] [--rate 1000]`: a collector of its own gets events at a steady rate while its
 * Kafka is away for so long. Prints how many were lost, how fast the spool was drained against the rate, and the largest
 * memory of the collector. The promise is 0 lost, 5 times the rate or more, 256 MB or less, for 30 minutes too.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startBackgroundProcess, stopInSteps } from '@tollgate/embedded/background-process';
import { freePort } from '@tollgate/embedded/free-port';
import { createKafkaEventLogReader } from '@tollgate/event-log/kafka/kafka-event-log-reader';
import { createKafkaTopics } from '@tollgate/event-log/kafka/kafka-topics';
import { startKafka } from '@tollgate/testing/kafka';
import { until } from '@tollgate/testing/until';
import { openAccessLogStream } from '../usage-processor/test/collector/access-log-client.js';
import { aMessage, anEntry } from '../usage-processor/test/collector/an-entry.js';

const TOPIC = 'usage-events';
const BEFORE_MS = 3000;
/** As Envoy flushes. */
const TICK_MS = 200;
/** Well below what Envoy holds back at most, which is what a collector has to take at once. */
const MESSAGE_ENTRIES = 1000;
const DEADLINE_MS = 30 * 60_000;

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '30' }, rate: { type: 'string', default: '1000' } },
});
const awayMs = Number(values.seconds) * 1000;
const rate = Number(values.rate);

const folder = await mkdtemp(join(tmpdir(), 'tollgate-kafka-away-'));
process.env['TEST_RUN_FOLDER'] = folder;
const kafka = await startKafka();
const topics = { partitions: 12, replicationFactor: 1, retentionMs: 86_400_000 };
await until(async () => (await createKafkaTopics(kafka, [TOPIC], topics)) && true, 60_000, 'making the topic');

const adminPort = await freePort();
const socket = join(folder, 'als.sock');
const collector = await startBackgroundProcess({
  command: process.execPath,
  args: [fileURLToPath(new URL('collector.js', import.meta.url))],
  env: {
    KAFKA_BROKERS: kafka.brokers.join(','),
    COLLECTOR_LISTEN: `unix:${socket}`,
    ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    DATA_DIR: folder,
    LOG_LEVEL: 'warn',
  },
  logFile: join(folder, 'collector.log'),
  hasOwnGroup: true,
});

async function metric(start: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  return Number(
    page
      .split('\n')
      .find((line) => line.startsWith(start))
      ?.split(' ')
      .at(-1),
  );
}

let largestKiB = 0;
async function lookAtMemory(): Promise<void> {
  const status = await readFile(`/proc/${collector.pid}/status`, 'utf8').catch(() => '');
  largestKiB = Math.max(largestKiB, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0));
}

try {
  await until(() => metric('tollgate_build_info'), 30_000, 'the collector');
  const stream = openAccessLogStream(`unix:${socket}`);
  const organizations = Array.from({ length: 50 }, () => randomUUID());
  let sent = 0;
  const nextEntry = () => {
    const organizationId = organizations[sent % organizations.length] ?? '';
    const identity = { organization_id: organizationId, key_id: randomUUID(), environment: 'live' };
    return anEntry({
      streamId: `stream ${sent++}`,
      startSeconds: Math.floor(Date.now() / 1000),
      metadata: { 'envoy.filters.http.ext_authz': identity },
    });
  };
  const send = (count: number) => {
    for (let left = count; left > 0; left -= MESSAGE_ENTRIES) {
      stream.write(aMessage(Array.from({ length: Math.min(left, MESSAGE_ENTRIES) }, nextEntry), 'bench'));
    }
  };
  const startMs = performance.now();
  const sendUntil = async (isEnough: () => boolean | Promise<boolean>) => {
    while (!(await isEnough())) {
      send(Math.floor(((performance.now() - startMs) * rate) / 1000) - sent);
      await lookAtMemory();
      await pause(TICK_MS);
    }
  };
  const sinceStart = (ms: number) => () => performance.now() - startMs >= ms;

  await sendUntil(sinceStart(BEFORE_MS));
  await kafka.kill();
  console.info(`Kafka is away for ${awayMs / 1000} s at ${rate} events/s …`);
  await sendUntil(sinceStart(BEFORE_MS + awayMs));
  let isBack = false;
  const back = kafka.start().then(() => {
    isBack = true;
  });
  await sendUntil(() => isBack);
  await back;
  const spooled = await metric('tollgate_usage_spool_events');
  const producedBefore = await metric('tollgate_usage_events_total{stage="produced"');
  const drainStartMs = performance.now();
  // The first piece may wait for the pause after the last failure.
  await sendUntil(async () => (await metric('tollgate_usage_events_total{stage="produced"')) > producedBefore);
  const firstMs = performance.now();
  await sendUntil(async () => (await metric('tollgate_usage_spool_bytes')) === 0);
  const endMs = performance.now();
  const drained = (await metric('tollgate_usage_events_total{stage="produced"')) - producedBefore;
  await stream.end();
  stream.close();
  await until(async () => (await metric('tollgate_usage_events_total{stage="produced"')) >= sent, DEADLINE_MS, 'the last events');

  const arrived = new Set<string>();
  const reader = createKafkaEventLogReader({ connection: kafka, topic: TOPIC, group: 'bench' });
  const run = reader.run(
    async () => undefined,
    async ({ records }) => {
      for (const { value } of records) arrived.add((JSON.parse(value.toString()) as { event_id: string }).event_id);
    },
  );
  await reader.caughtUp();
  await reader.close();
  await run;

  const perSecond = Math.round((drained * 1000) / (endMs - firstMs));
  console.info(`sent ${sent}, in Kafka ${arrived.size}: ${sent - arrived.size} lost`);
  console.info(
    `spooled ${spooled}; drained ${drained} in ${((endMs - firstMs) / 1000).toFixed(1)} s, ${((firstMs - drainStartMs) / 1000).toFixed(1)} s after Kafka was back: ${perSecond} events/s, ${(perSecond / rate).toFixed(1)} times the rate`,
  );
  console.info(`largest memory of the collector: ${Math.round(largestKiB / 1024)} MiB`);
} finally {
  await stopInSteps(collector, [{ signal: 'SIGTERM', waitMs: 15_000 }]);
  await kafka.close();
  await rm(folder, { recursive: true, force: true });
}
