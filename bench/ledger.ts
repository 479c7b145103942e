/**
 * What does storing usage cost beside a bare COPY of the same rows into the same table, and does it stay so as the table grows? Both
 * ways take turns in one run, on a PostgreSQL that forces every commit to disk: one of its own, or `--database URL`, which may
 * have TimescaleDB. There the price of late events in compressed days is measured too.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { Database } from '@tollgate/postgres/database';
import { storeUsage } from '@tollgate/postgres/usage-store';
import { openBareCopy } from './bare-copy.js';
import { lateUsage } from './late-usage.js';
import { openLedgerDatabase } from './ledger-database.js';
import { type Depth, ledgerReport, type Stretch, type Way } from './ledger-report.js';
import { familyNanosOf } from './machine.js';
import { newEvents, ORGANIZATIONS } from './made-events.js';
import { loadAverage, provenance } from './provenance.js';
import { writeSection } from './results-page.js';
import { inRunFolder } from './run-folder.js';
import { openBenchDatabase } from './stores.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BATCHES = [1_000, 5_000];
/** Of one way, before it is the other's turn. */
const STRETCH_EVENTS = 10_000;
const DEPTHS = [100_000, 1_000_000, 10_000_000];
const DEPTH_BATCH = 1_000;
const DEPTH_PAIRS = 15;
const SMALL = 100_000;

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    stored: { type: 'string', default: '1000000' },
    database: { type: 'string' },
  },
});
const rounds = Number(args.rounds);
const deepest = Number(args.stored);

const loadBefore = loadAverage();
await inRunFolder(async (folder) => {
  const server = await openLedgerDatabase({ folder, migrations: join(ROOT, 'migrations'), serverUrl: args.database });
  const db = openBenchDatabase(server.url);
  const small = await openLedgerDatabase({ folder, migrations: join(ROOT, 'migrations'), serverUrl: server.url });
  const smallDb = openBenchDatabase(small.url);
  const depths = await deepen(db, smallDb, server.pid);
  await smallDb.close();
  await small.close();
  const stretches = await compare(db, server.url, server.pid);
  const late = server.hasTimescale ? await lateUsage(db, createStore(db)) : [];
  await db.close();
  const report = ledgerReport({ ...server, stretches, depths, late }, [
    ...(await provenance(ROOT, `Node.js ${process.version}, ${server.version}`, 'ledger')),
    ['rounds', `${rounds} of ${STRETCH_EVENTS.toLocaleString('en')} events for each way and size, in turns; median (least–most)`],
    ['events', `of ${ORGANIZATIONS.length} organizations, 200 a second by their times, none stored before`],
    ['load average before', loadBefore],
  ]);
  await server.close();
  console.info(`\n${report}`);
  await writeSection(join(ROOT, 'bench', 'results.md'), report);
});
process.exit();

async function compare(db: Database, url: string, serverPid: number): Promise<Stretch[]> {
  const bare = await openBareCopy(url);
  const store = createNewStore(db);
  const ways: Record<Way, (events: readonly UsageEvent[]) => Promise<void>> = { 'bare COPY': bare.store, storeUsage: store };
  // The partition of the day has to be there before the first COPY.
  await store(newEvents(1));
  const done: Stretch[] = [];
  for (let round = -1; round < rounds; round++)
    for (const batch of BATCHES)
      for (const [way, run] of Object.entries(ways) as [Way, typeof store][]) {
        const measured = await stretch(run, batch, STRETCH_EVENTS, serverPid);
        // Nobody counts the first round: compilers and caches become warm in it.
        if (round >= 0) done.push({ way, ...measured });
      }
  await bare.close();
  return done;
}

/** The machine is another one minutes later: so each depth is measured in turns with a table that stays small. */
async function deepen(db: Database, smallDb: Database, serverPid: number): Promise<Depth[]> {
  const [store, storeSmall] = [createNewStore(db), createNewStore(smallDb)];
  await fill(smallDb, storeSmall, SMALL);
  const depths: Depth[] = [];
  for (const stored of DEPTHS.filter((depth) => depth <= deepest)) {
    await fill(db, store, stored);
    const once = (into: typeof store) => stretch(into, DEPTH_BATCH, STRETCH_EVENTS, serverPid);
    const pairs: Depth['pairs'][number][] = [];
    for (let i = 0; i < DEPTH_PAIRS; i++) pairs.push({ small: await once(storeSmall), deep: await once(store) });
    depths.push({ stored, pairs });
    console.info(`${stored.toLocaleString('en')} stored: measured`);
  }
  return depths;
}

/** What was written meanwhile goes to disk before anything is measured. */
async function fill(db: Database, store: ReturnType<typeof createNewStore>, rows: number): Promise<void> {
  for (let count = await storedRows(db); count < rows; count += 5_000) await store(newEvents(5_000));
  await db.query('CHECKPOINT');
}

/** Stores `total` new events, so many at a time. They are made before the clock starts. */
async function stretch(
  store: (events: readonly UsageEvent[]) => Promise<void>,
  batch: number,
  total: number,
  serverPid: number,
): Promise<Omit<Stretch, 'way'>> {
  const batches = Array.from({ length: total / batch }, () => newEvents(batch));
  const [serverNanos, client, startMs] = [await familyNanosOf(serverPid), process.cpuUsage(), performance.now()];
  for (const events of batches) await store(events);
  const tookMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(client);
  const server = (await familyNanosOf(serverPid)) - serverNanos;
  return {
    batch,
    rowsPerSecond: (total / tookMs) * 1000,
    serverMicros: server / 1000 / total,
    clientMicros: (user + system) / total,
  };
}

/** Stores events in a log of their own, one batch after the other, and tells how many were new. */
function createStore(db: Database): (events: readonly UsageEvent[]) => Promise<number> {
  const place = { group: 'bench', logId: randomUUID(), topic: 'usage-events', partition: 0 };
  let offset = 0n;
  return async (events) => {
    const next = offset + BigInt(events.length);
    const { inserted } = await storeUsage(db, { ...place, startOffset: offset, nextOffset: next, events, deadLetters: [] });
    offset = next;
    return inserted;
  };
}

/** The same where all of them have to be new. */
function createNewStore(db: Database): (events: readonly UsageEvent[]) => Promise<void> {
  const store = createStore(db);
  return async (events) => {
    const inserted = await store(events);
    if (inserted !== events.length) throw new Error(`${inserted} of ${events.length} events were stored`);
  };
}

async function storedRows(db: Database): Promise<number> {
  const [row] = await db.query<{ count: string }>('SELECT count(*) FROM usage_events');
  return Number(row?.count);
}
