/**
 * `npm run bench -- collector [--rounds 5] [--entries 100000] [--rate 5000] [--profile folder]`: what does an access-log entry
 * cost the collector, from Envoy's stream to the acknowledgement of Kafka? The built collector is a process of its own.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findEnvoy } from '@tollgate/embedded/envoy-binary';
import { cacheFolder } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { openAccessLogStream } from '../usage-processor/test/collector/access-log-client.js';
import { entryMaker } from './access-log-entries.js';
import { type CollectorRound, collectorReport } from './collector-report.js';
import { inKafkaWorld, KAFKA_VERSION, type KafkaWorld, type UsageService } from './kafka-world.js';
import { cpuNanosOf } from './machine.js';
import { loadAverage, provenance } from './provenance.js';
import { writeSection } from './results-page.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** As Envoy sends what came within its flush interval. */
const ENTRIES_OF_A_MESSAGE = [50, 200];
const ACKNOWLEDGED_DEADLINE_MS = 90_000;
/** Each look costs the collector a little. */
const LOOK_EVERY_MS = 250;
const PRODUCED = 'tollgate_usage_events_total{stage="produced"';
const SPOOLED = 'tollgate_usage_events_total{stage="spooled"';

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    entries: { type: 'string', default: '100000' },
    rate: { type: 'string', default: '5000' },
    profile: { type: 'string' },
  },
});
const rounds = Number(args.rounds);
const entries = Number(args.entries);
const rate = Number(args.rate);

const loadBefore = loadAverage();
const report = await inKafkaWorld({ root: ROOT, profileFolder: args.profile }, measure);
console.info(`\n${report}`);
await writeSection(join(ROOT, 'bench', 'results.md'), report);
process.exit();

async function measure(world: KafkaWorld): Promise<string> {
  const envoy = await findEnvoy({ cacheFolder: cacheFolder(), log: (line) => console.info(line) });
  const makeMessage = entryMaker(envoy.path);
  const collector = await world.startService('collector', { KAFKA_TOPIC: await world.makeTopic() });
  const paces = [undefined, rate].flatMap((perSecond) => ENTRIES_OF_A_MESSAGE.map((size) => ({ perSecond, size })));
  const measured: CollectorRound[] = [];
  // Nobody counts the first round: compilers become warm in it.
  for (let round = -1; round < rounds; round++)
    for (const { perSecond, size } of paces) {
      const messages = Array.from({ length: Math.ceil(entries / size) }, () => makeMessage(size));
      const done = await oneRound(world, collector, messages, { perSecond, size });
      console.info(`round ${round}, ${done.pace}: ${done.collectorMicros.toFixed(1)} µs an entry`);
      if (round >= 0) measured.push(done);
    }
  if ((await collector.metric(SPOOLED)) > 0) throw new Error('Kafka was late: entries took the way over the spool');
  return collectorReport(measured, [
    ...(await provenance(ROOT, `Node.js ${process.version}, messages of Envoy ${envoy.version}, ${KAFKA_VERSION}`, 'collector')),
    ['rounds', `${rounds} of ${entries.toLocaleString('en')} entries for each pace, in turns, on one stream over a unix socket`],
    ['entries', 'with every field that Envoy fills, of 50 organizations; 12 partitions'],
    ['load average before', loadBefore],
  ]);
}

async function oneRound(
  world: KafkaWorld,
  collector: UsageService,
  messages: readonly Buffer[],
  { perSecond, size }: { perSecond: number | undefined; size: number },
): Promise<CollectorRound> {
  const count = messages.length * size;
  const before = await collector.metric(PRODUCED);
  const [own, kafka, startMs] = [await cpuNanosOf(collector.pid), await cpuNanosOf(world.kafka.pid()), performance.now()];
  const stream = openAccessLogStream('unix' in collector.address ? `unix:${collector.address.unix}` : '');
  for (const [index, message] of messages.entries()) {
    if (perSecond !== undefined) await pause(Math.max(0, startMs + (index * size * 1000) / perSecond - performance.now()));
    stream.write(message);
  }
  const ended = stream.end();
  await until(
    async () => {
      await pause(LOOK_EVERY_MS);
      return (await collector.metric(PRODUCED)) >= before + count;
    },
    ACKNOWLEDGED_DEADLINE_MS,
    'the acknowledgement of all',
  );
  const tookMs = performance.now() - startMs;
  const [ownMicros, kafkaMicros] = [await cpuNanosOf(collector.pid), await cpuNanosOf(world.kafka.pid())].map(
    (nanos, i) => (nanos - ([own, kafka][i] ?? 0)) / 1000 / count,
  );
  await ended;
  stream.close();
  return {
    pace: `${size} in a message, ${perSecond === undefined ? 'at full speed' : `${perSecond.toLocaleString('en')} a second`}`,
    perSecond: (count * 1000) / tookMs,
    collectorMicros: ownMicros ?? 0,
    kafkaMicros: kafkaMicros ?? 0,
  };
}
