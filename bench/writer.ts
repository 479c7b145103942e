/**
 * `npm run bench -- writer [--rounds 5] [--events 200000] [--profile folder]`: how fast does usage come from Kafka into the
 * table? A topic is filled, the built writer reads it as a process of its own, and before each of these rounds as many events go
 * into the same table by a bare COPY.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPostgres } from '@tollgate/embedded/embedded-postgres';
import { createKafkaEventLogWriter } from '@tollgate/event-log/kafka/kafka-event-log-writer';
import { openDatabase } from '@tollgate/postgres/database';
import { createUsagePartitions } from '@tollgate/postgres/insert-usage';
import { migrateUp } from '@tollgate/postgres/migrate';
import { until } from '@tollgate/testing/until';
import { openBareCopy } from './bare-copy.js';
import { inKafkaWorld, KAFKA_VERSION, type KafkaWorld } from './kafka-world.js';
import { cpuNanosOf, familyNanosOf } from './machine.js';
import { newEvents, ORGANIZATIONS } from './made-events.js';
import { loadAverage, provenance } from './provenance.js';
import { writeSection } from './results-page.js';
import { type WriterRound, writerReport } from './writer-report.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** As many as the writer stores in one transaction. */
const COPY_EVENTS = 5_000;
const PREFILL_EVENTS = 1_000;
/** Each look costs the writer a little. */
const LOOK_EVERY_MS = 50;
const STORED_DEADLINE_MS = 5 * 60_000;

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    events: { type: 'string', default: '200000' },
    profile: { type: 'string' },
  },
});
const rounds = Number(args.rounds);
const events = Number(args.events);

const loadBefore = loadAverage();
const report = await inKafkaWorld({ root: ROOT, profileFolder: args.profile }, measure);
console.info(`\n${report}`);
await writeSection(join(ROOT, 'bench', 'results.md'), report);
process.exit();

async function measure(world: KafkaWorld): Promise<string> {
  const postgres = await startPostgres({ folder: join(world.folder, 'postgres'), recordIn: world.folder });
  world.closers.push(() => postgres.close());
  await migrateUp({ url: postgres.url, folder: join(ROOT, 'migrations') });
  const server = { url: postgres.url, pid: postgres.pid };
  const measured: WriterRound[] = [];
  // Nobody counts the first round: caches become warm in it.
  for (let round = -1; round < rounds; round++) {
    const copy = await bareCopy(server);
    const writer = await throughKafka(world, server);
    console.info(`round ${round}: bare COPY ${copy.perSecond.toFixed(0)}, writer ${writer.perSecond.toFixed(0)} events a second`);
    if (round >= 0) measured.push({ copy, writer });
  }
  await everyEventIsStored(postgres.url, (rounds + 1) * events * 2);
  return writerReport(measured, [
    ...(await provenance(ROOT, `Node.js ${process.version}, ${KAFKA_VERSION}, PostgreSQL ${postgres.version}`, 'writer')),
    ['rounds', `${rounds} of ${events.toLocaleString('en')} events each way, in turns; median (least–most)`],
    ['events', `of ${ORGANIZATIONS.length} organizations, 200 a second by their times, none stored before; 12 partitions`],
    ['load average before', loadBefore],
  ]);
}

interface Server {
  url: string;
  pid: number;
}

async function bareCopy({ url, pid }: Server): Promise<WriterRound['copy']> {
  const bare = await openBareCopy(url);
  const batches = Array.from({ length: events / COPY_EVENTS }, () => newEvents(COPY_EVENTS));
  await withDatabase(url, (db) => createUsagePartitions(db, batches.flat()));
  const [cpu, startMs] = [await familyNanosOf(pid), performance.now()];
  for (const batch of batches) await bare.store(batch);
  const perSecond = (events * 1000) / (performance.now() - startMs);
  const postgresMicros = ((await familyNanosOf(pid)) - cpu) / 1000 / events;
  await bare.close();
  return { perSecond, postgresMicros };
}

async function throughKafka(world: KafkaWorld, postgres: Server): Promise<WriterRound['writer']> {
  const topic = await world.makeTopic();
  await fill(world, topic);
  const writer = await world.startService('writer', { KAFKA_TOPIC: topic, DATABASE_URL: postgres.url });
  const read = async () => ({
    stored: await writer.metric('tollgate_usage_events_total{stage="stored"'),
    ms: performance.now(),
    writer: await cpuNanosOf(writer.pid),
    postgres: await familyNanosOf(postgres.pid),
    kafka: await cpuNanosOf(world.kafka.pid()),
  });
  const storedAtLeast = (count: number) =>
    until(
      async () => {
        await pause(LOOK_EVERY_MS);
        const now = await read();
        return now.stored >= count && now;
      },
      STORED_DEADLINE_MS,
      'rows',
    );
  const first = await storedAtLeast(1);
  const last = await storedAtLeast(events);
  await writer.close();
  const count = last.stored - first.stored;
  const micros = (part: 'writer' | 'postgres' | 'kafka') => (last[part] - first[part]) / 1000 / count;
  return {
    perSecond: (count * 1000) / (last.ms - first.ms),
    writerMicros: micros('writer'),
    postgresMicros: micros('postgres'),
    kafkaMicros: micros('kafka'),
  };
}

async function fill({ kafka }: KafkaWorld, topic: string): Promise<void> {
  const log = createKafkaEventLogWriter({ connection: kafka, topic, batchEvents: PREFILL_EVENTS, deadlineMs: 30_000 });
  for (let sent = 0; sent < events; sent += PREFILL_EVENTS) await log.append(newEvents(PREFILL_EVENTS));
  await log.close();
}

async function everyEventIsStored(url: string, count: number): Promise<void> {
  const [row] = await withDatabase(url, (db) => db.query<{ count: string }>('SELECT count(*) FROM usage_events'));
  if (Number(row?.count) !== count) throw new Error(`${row?.count} rows for ${count} events`);
}

async function withDatabase<Result>(url: string, use: (db: ReturnType<typeof openDatabase>) => Promise<Result>): Promise<Result> {
  const timeouts = { connectTimeoutMs: 5_000, statementTimeoutMs: 60_000 };
  const db = openDatabase({ url, ...timeouts, maxConnections: 1, applicationName: 'tollgate bench', onError: console.error });
  return use(db).finally(() => db.close());
}
