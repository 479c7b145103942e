/**
 * `npm run bench -- kafka-away [--seconds 30] [--rate 1000]`: a collector of its own gets events at a steady rate while its
 * Kafka is away for so long. The promise is 0 lost, drained at 5 times the rate or more, 256 MiB or less, for 30 minutes too.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createKafkaEventLogReader } from '@tollgate/event-log/kafka/kafka-event-log-reader';
import { until } from '@tollgate/testing/until';
import { openAccessLogStream } from '../usage-processor/test/collector/access-log-client.js';
import { aMessage, anEntry } from '../usage-processor/test/collector/an-entry.js';
import { type Absence, absenceReport } from './kafka-away-report.js';
import { inKafkaWorld, KAFKA_VERSION, type KafkaWorld, type UsageService } from './kafka-world.js';
import { ORGANIZATIONS } from './made-events.js';
import { loadAverage, provenance } from './provenance.js';
import { writeSection } from './results-page.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BEFORE_MS = 3000;
/** As Envoy flushes. */
const TICK_MS = 200;
/** Well below what Envoy holds back at most, which is what a collector has to take at once. */
const MESSAGE_ENTRIES = 1000;
const DEADLINE_MS = 30 * 60_000;
const PRODUCED = 'tollgate_usage_events_total{stage="produced"';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '30' }, rate: { type: 'string', default: '1000' } },
});
const seconds = Number(values.seconds);
const rate = Number(values.rate);

const loadBefore = loadAverage();
const absence = await inKafkaWorld({ root: ROOT, profileFolder: undefined }, goAway);
const report = absenceReport(absence, [
  ...(await provenance(ROOT, `Node.js ${process.version}, ${KAFKA_VERSION}`, 'kafka-away')),
  ['load average before', loadBefore],
]);
console.info(`\n${report}`);
await writeSection(join(ROOT, 'bench', 'results.md'), report);
process.exit();

async function goAway(world: KafkaWorld): Promise<Absence> {
  const { kafka } = world;
  const topic = await world.makeTopic();
  const collector = await world.startService('collector', { KAFKA_TOPIC: topic, LOG_LEVEL: 'info' });
  const load = steadyLoad(collector);
  await load.sendUntil(load.sinceStart(BEFORE_MS));
  await kafka.kill();
  console.info(`Kafka is away for ${seconds} s at ${rate} events a second …`);
  await load.sendUntil(load.sinceStart(BEFORE_MS + seconds * 1000));
  let isBack = false;
  const back = kafka.start().finally(() => {
    isBack = true;
  });
  // Told below; unheard until then, it would end the bench without its clean-up.
  back.catch(() => {});
  await load.sendUntil(() => isBack);
  await back;
  const backMs = performance.now();
  const spooled = await collector.metric('tollgate_usage_spool_events');
  const producedBefore = await collector.metric(PRODUCED);
  // The first piece may wait for the pause after the last failure.
  await load.sendUntil(async () => (await collector.metric(PRODUCED)) > producedBefore);
  const firstMs = performance.now();
  await load.sendUntil(async () => (await collector.metric('tollgate_usage_spool_bytes')) === 0);
  const endMs = performance.now();
  const drained = (await collector.metric(PRODUCED)) - producedBefore;
  const { sent, largestMib } = await load.end();
  await until(async () => (await collector.metric(PRODUCED)) >= sent, DEADLINE_MS, 'the last events');
  return {
    seconds,
    rate,
    sent,
    lost: sent - (await eventsInKafka(world, topic)),
    spooled,
    pauseSeconds: (firstMs - backMs) / 1000,
    drainedPerSecond: (drained * 1000) / (endMs - firstMs),
    largestMib,
  };
}

/** Entries on one stream, so many a second from now on, with a look at the collector's memory at each tick. */
function steadyLoad(collector: UsageService) {
  const stream = openAccessLogStream('unix' in collector.address ? `unix:${collector.address.unix}` : '');
  const startMs = performance.now();
  let sent = 0;
  let largestMib = 0;
  const nextEntry = () => {
    const organization_id = ORGANIZATIONS[sent % ORGANIZATIONS.length] ?? '';
    const identity = { organization_id, key_id: randomUUID(), environment: 'live' };
    const metadata = { 'envoy.filters.http.ext_authz': identity };
    return anEntry({ streamId: `stream ${sent++}`, startSeconds: Math.floor(Date.now() / 1000), metadata });
  };
  const send = (count: number) => {
    for (let left = count; left > 0; left -= MESSAGE_ENTRIES) {
      stream.write(aMessage(Array.from({ length: Math.min(left, MESSAGE_ENTRIES) }, nextEntry), 'bench'));
    }
  };
  return {
    sinceStart: (ms: number) => () => performance.now() - startMs >= ms,
    sendUntil: async (isEnough: () => boolean | Promise<boolean>) => {
      while (!(await isEnough())) {
        send(Math.floor(((performance.now() - startMs) * rate) / 1000) - sent);
        largestMib = Math.max(largestMib, await residentMib(collector.pid));
        await pause(TICK_MS);
      }
    },
    end: async () => {
      await stream.end();
      stream.close();
      return { sent, largestMib };
    },
  };
}

async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

async function eventsInKafka({ kafka }: KafkaWorld, topic: string): Promise<number> {
  const arrived = new Set<string>();
  const reader = createKafkaEventLogReader({ connection: kafka, topic, group: 'bench' });
  const run = reader.run(
    async () => undefined,
    async ({ records }) => {
      for (const { value } of records) arrived.add((JSON.parse(value.toString()) as { event_id: string }).event_id);
    },
  );
  await reader.caughtUp();
  await reader.close();
  await run;
  return arrived.size;
}
