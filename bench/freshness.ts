/**
 * `npm run bench -- freshness [--seconds 60] [--rate 1000]`: how long after a request does `usage show` count it? Access-log entries
 * come to a collector as Envoy sends them, and go by way of Kafka and a writer into PostgreSQL, each a process of its own. The
 * query of `usage show` is asked again and again; a request is seen when the answer counts so many as ended up to it.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Database } from '@tollgate/postgres/database';
import { usageReport } from '@tollgate/postgres/usage-report';
import { openAccessLogStream } from '../usage-processor/test/collector/access-log-client.js';
import { aMessage, anEntry } from '../usage-processor/test/collector/an-entry.js';
import { freshnessReport } from './freshness-report.js';
import { inKafkaWorld, KAFKA_VERSION, type KafkaWorld } from './kafka-world.js';
import { ORGANIZATIONS } from './made-events.js';
import { loadAverage, provenance } from './provenance.js';
import { writeSection } from './results-page.js';
import type { Closers } from './run-folder.js';
import { startBenchPostgres } from './stores.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** As Envoy flushes its access log. */
const FLUSH_MS = 200;
/** The first seconds of a pipeline are not its everyday. */
const WARM_UP_MS = 10_000;
const LAST_DEADLINE_MS = 60_000;
/** Those that are asked about, in different partitions. */
const WATCHED = ORGANIZATIONS.slice(0, 5);

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, rate: { type: 'string', default: '1000' } },
});
const rate = Number(values.rate);
const lengthMs = Number(values.seconds) * 1000;

const loadBefore = loadAverage();
const report = await inKafkaWorld({ root: ROOT, profileFolder: undefined }, measure);
console.info(`\n${report}`);
await writeSection(join(ROOT, 'bench', 'results.md'), report);
process.exit();

async function measure(world: KafkaWorld): Promise<string> {
  const { folder, closers } = world;
  const postgres = await startBenchPostgres(folder, ROOT, closers);
  const { db } = postgres;
  const settings = { KAFKA_TOPIC: await world.makeTopic(), DATABASE_URL: postgres.url, LOG_LEVEL: 'info' };
  await world.startService('writer', settings);
  const { address } = await world.startService('collector', settings);
  if (!('unix' in address)) throw new Error('the collector listens elsewhere');

  const ended = sendEntries(`unix:${address.unix}`, closers);
  const { latenciesMs, questionsMs, unseen } = await watch(db, ended);
  return freshnessReport({ latenciesMs, questionsMs, unseen, sent: ended.sent() }, [
    ...(await provenance(ROOT, `Node.js ${process.version}, PostgreSQL ${postgres.version}, ${KAFKA_VERSION}`, 'freshness')),
    [
      'load',
      `${rate} requests a second of ${ORGANIZATIONS.length} organizations for ${values.seconds} s, after ${WARM_UP_MS / 1000} s that do not count`,
    ],
    ['settings', 'those that the services have by default; Kafka has one broker'],
    ['load average before', loadBefore],
  ]);
}

interface Ended {
  /** When the n-th request of this organization ended, by performance.now(); undefined while it has not. */
  endOf(organization: string, nth: number): number | undefined;
  sent(): number;
  isOver(): boolean;
}

/** Requests end one after the other at the rate; every 200 ms those that have ended are told. */
function sendEntries(address: string, closers: Closers): Ended {
  const stream = openAccessLogStream(address);
  const ends = new Map<string, number[]>(ORGANIZATIONS.map((id) => [id, []]));
  const startMs = performance.now();
  let sent = 0;
  let isOver = false;
  const flush = () => {
    const due = Math.floor(((performance.now() - startMs) * rate) / 1000);
    const entries = Array.from({ length: due - sent }, () => {
      const organization = ORGANIZATIONS[sent % ORGANIZATIONS.length] ?? '';
      ends.get(organization)?.push(startMs + (++sent * 1000) / rate);
      const identity = { organization_id: organization, key_id: randomUUID(), environment: 'live' };
      return anEntry({
        streamId: `stream ${sent}`,
        startSeconds: Math.floor(Date.now() / 1000),
        metadata: { 'envoy.filters.http.ext_authz': identity, 'envoy.filters.http.ratelimit': { decision: 'allowed' } },
      });
    });
    if (entries.length > 0) stream.write(aMessage(entries, 'bench'));
  };
  void (async () => {
    while (performance.now() - startMs < WARM_UP_MS + lengthMs) {
      flush();
      await pause(FLUSH_MS);
    }
    isOver = true;
  })();
  closers.push(async () => stream.close());
  return { endOf: (organization, nth) => ends.get(organization)?.[nth], sent: () => sent, isOver: () => isOver };
}

/** Asks about one organization after the other, until all is seen. */
async function watch(db: Database, ended: Ended): Promise<{ latenciesMs: number[]; questionsMs: number[]; unseen: number }> {
  const [latenciesMs, questionsMs]: [number[], number[]] = [[], []];
  const seen = new Map<string, number>();
  const countsFromMs = performance.now() + WARM_UP_MS;
  const from = new Date(Date.now() - 3_600_000);
  const unseen = () => WATCHED.filter((id) => ended.endOf(id, seen.get(id) ?? 0) !== undefined);
  let giveUpMs = Number.POSITIVE_INFINITY;
  while (!ended.isOver() || (unseen().length > 0 && performance.now() < giveUpMs)) {
    if (ended.isOver()) giveUpMs = Math.min(giveUpMs, performance.now() + LAST_DEADLINE_MS);
    for (const organization of WATCHED) {
      const askedMs = performance.now();
      const to = new Date(Date.now() + 3_600_000);
      const [row] = await usageReport(db, { organizationId: organization, from, to, by: 'total' });
      const nowMs = performance.now();
      questionsMs.push(nowMs - askedMs);
      for (let nth = seen.get(organization) ?? 0; nth < (row?.requests ?? 0); nth++) {
        const endMs = ended.endOf(organization, nth);
        if (endMs === undefined) throw new Error('more was counted than was sent');
        if (endMs >= countsFromMs) latenciesMs.push(nowMs - endMs);
      }
      seen.set(organization, row?.requests ?? 0);
    }
    await pause(20);
  }
  return { latenciesMs, questionsMs, unseen: unseen().length };
}
