import { isoMicros } from '@tollgate/domain/usage-event';
import type { Sql } from '@tollgate/postgres/database';
import { expect, onTestFinished, test } from 'vitest';
import { describeSchema } from '../describe-schema.js';
import { count } from '../open-fresh.js';
import {
  at,
  countsBy,
  DAY_MICROS,
  HOUR_MICROS,
  numbersOf,
  ORGANIZATION,
  periodsOf,
  storeAll,
  sumsOf,
  thisHour,
  usedIn,
} from './ledger-events.js';
import { openTimescale, type Timescale } from './open-timescale.js';
import { plainLedger } from './plain-ledger.js';

const AGGREGATES = ['hourly', 'daily', 'monthly'] as const;
/** Before the migration to TimescaleDB. */
const LAST_PLAIN = '0009';

async function aTimescale(): Promise<Timescale> {
  const timescale = await openTimescale();
  onTestFinished(timescale.close);
  return timescale;
}

async function isHypertable(db: Sql): Promise<boolean> {
  const [row] = await db.query<{ found: boolean }>('SELECT is_usage_in_hypertable() AS found');
  return row?.found === true;
}

test('a database with usage moves to TimescaleDB and back, with its rows, also those whose raw events are gone', async () => {
  const timescale = await aTimescale();
  const { db } = timescale;
  await timescale.migrateUp(LAST_PLAIN);
  expect(await isHypertable(db)).toBe(false);
  const now = thisHour();
  const events = [0n, 1n, 40n, 89n, 120n].map((day) => at(now - day * DAY_MICROS + 7n, { units: Number(day) }));
  await storeAll(db, events);
  await db.query('SELECT drop_usage_partitions(current_date - 90)');
  const schema = await describeSchema(db);

  await timescale.migrateUp();
  expect(await isHypertable(db)).toBe(true);
  const expectAll = async () => {
    expect(await count(db, 'usage_events')).toBe(4);
    for (const view of AGGREGATES) expect(await periodsOf(db, view)).toEqual(countsBy(events, view));
    expect(await usedIn(db, now - 200n * DAY_MICROS, now + DAY_MICROS)).toEqual(sumsOf(events));
    expect(await storeAll(db, events.slice(0, 4))).toMatchObject({ inserted: 0, duplicates: 4 });
  };
  await expectAll();
  await db.query("CALL refresh_continuous_aggregate('usage_daily', NULL, NULL)");
  await db.query("CALL refresh_continuous_aggregate('usage_monthly', NULL, NULL)");
  await expectAll();

  await timescale.migrateDown('0010');
  expect(await isHypertable(db)).toBe(false);
  expect(await describeSchema(db)).toBe(schema);
  await expectAll();
  await timescale.migrateUp();
  await expectAll();
});

test('the whole chain goes up, down and up again', async () => {
  const timescale = await aTimescale();
  await timescale.migrateUp();
  await storeAll(timescale.db, [at(thisHour())]);
  await timescale.migrateDown();
  expect(await describeSchema(timescale.db)).toMatch(/^(-- \w+\n|\n)*$/);
  await timescale.migrateUp();
  expect(await storeAll(timescale.db, [at(thisHour())])).toMatchObject({ inserted: 1 });
});

test('a database that was told to stay on plain PostgreSQL does, and moves when it is asked to', async () => {
  const timescale = await aTimescale();
  const { db } = timescale;
  await db.query("SELECT set_config('tollgate.timescaledb', 'off', false)");
  await timescale.migrateUp();
  expect(await isHypertable(db)).toBe(false);
  await storeAll(db, [at(thisHour())]);
  await timescale.apply('SELECT usage_to_timescaledb()');
  expect(await isHypertable(db)).toBe(true);
  expect(await usedIn(db, thisHour(), thisHour() + DAY_MICROS)).toMatchObject({ requests: 1 });
  await timescale.apply('SELECT usage_to_plain()');
  expect(await isHypertable(db)).toBe(false);
  expect(await usedIn(db, thisHour(), thisHour() + DAY_MICROS)).toMatchObject({ requests: 1 });
});

test('the tables have the same columns as on plain PostgreSQL', async () => {
  const [timescale, plain] = [await aTimescale(), await plainLedger()];
  onTestFinished(plain.close);
  await timescale.migrateUp();
  expect(await columnsOf(timescale.db)).toEqual(await columnsOf(plain.db));
});

function columnsOf(db: Sql): Promise<object[]> {
  return db.query(
    `SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
     WHERE c.oid = ANY (ARRAY['usage_events', 'usage_hourly', 'usage_daily', 'usage_monthly']::regclass[]) AND a.attnum > 0
     ORDER BY c.relname, a.attnum`,
  );
}

test('raw events are kept 90 days and compressed after seven, and days and months are refreshed from what is never dropped', async () => {
  const timescale = await aTimescale();
  const { db } = timescale;
  await timescale.migrateUp();
  const dimensions = `SELECT column_name::text AS name, time_interval::text AS every, num_partitions::int AS parts
    FROM timescaledb_information.dimensions WHERE hypertable_name = 'usage_events' ORDER BY dimension_number`;
  expect(await db.query(dimensions)).toEqual([
    { name: 'time', every: '1 day', parts: null },
    { name: 'organization_id', every: null, parts: 4 },
  ]);
  const segments = `SELECT attname::text AS name FROM timescaledb_information.compression_settings
    WHERE hypertable_name = 'usage_events' AND segmentby_column_index IS NOT NULL`;
  expect(await db.query(segments)).toEqual([{ name: 'organization_id' }]);
  const jobs = await db.query<{ proc_name: string; hypertable_name: string; config: Record<string, unknown> }>(
    'SELECT proc_name::text, hypertable_name::text, config FROM timescaledb_information.jobs WHERE job_id >= 1000 ORDER BY job_id',
  );
  expect(jobs).toMatchObject([
    { proc_name: 'policy_compression', hypertable_name: 'usage_events', config: { compress_after: '7 days' } },
    { proc_name: 'policy_retention', hypertable_name: 'usage_events', config: { drop_after: '90 days' } },
    { proc_name: 'policy_refresh_continuous_aggregate', config: { start_offset: null, end_offset: '1 day' } },
    { proc_name: 'policy_refresh_continuous_aggregate', config: { start_offset: null, end_offset: '1 day' } },
  ]);
  const sources = `SELECT view_name::text AS name, hypertable_name::text AS source, materialized_only
    FROM timescaledb_information.continuous_aggregates ORDER BY view_name`;
  expect(await db.query(sources)).toMatchObject([
    { name: 'usage_daily', source: 'usage_hourly', materialized_only: false },
    { name: 'usage_monthly', materialized_only: false },
  ]);
});

test('the jobs compress what is a week old, drop raw events of 90 days, and bring late events into their day and month', async () => {
  const timescale = await aTimescale();
  const { db } = timescale;
  await timescale.migrateUp();
  const now = thisHour();
  const events = [0n, 1n, 3n, 6n, 9n, 35n, 88n, 95n, 120n].map((day) => at(now - day * DAY_MICROS));
  await storeAll(db, events);
  await timescale.runJobs();
  expect(await count(db, 'usage_events')).toBe(7);
  const chunks = `SELECT is_compressed, count(*)::int AS chunks FROM timescaledb_information.chunks
    WHERE hypertable_name = 'usage_events' GROUP BY 1 ORDER BY 1`;
  const compressed = [
    { is_compressed: false, chunks: 4 },
    { is_compressed: true, chunks: 3 },
  ];
  expect(await db.query(chunks)).toEqual(compressed);
  for (const view of AGGREGATES) expect(await periodsOf(db, view)).toEqual(countsBy(events, view));

  const late = [1n, 72n, 35n * 24n, 88n * 24n].map((hours) => at(now - hours * HOUR_MICROS + 1n));
  expect(await storeAll(db, [...late, ...events.slice(0, 7)])).toMatchObject({ inserted: 4, duplicates: 7 });
  const all = [...events, ...late];
  expect(await periodsOf(db, 'hourly')).toEqual(countsBy(all, 'hourly'));
  await timescale.runJobs();
  for (const view of AGGREGATES) expect(await periodsOf(db, view)).toEqual(countsBy(all, view));
  expect(await db.query(chunks)).toEqual(compressed);
  expect(await usedIn(db, now - 200n * DAY_MICROS, now + DAY_MICROS)).toEqual(sumsOf(all));
});

test("today's usage is in its day and month before any refresh", async () => {
  const timescale = await aTimescale();
  const { db } = timescale;
  await timescale.migrateUp();
  const events = [at(thisHour()), at(thisHour() - DAY_MICROS), at(thisHour() + 1n)];
  await storeAll(db, events);
  for (const view of AGGREGATES) expect(await periodsOf(db, view)).toEqual(countsBy(events, view));
  const end = isoMicros(thisHour() + DAY_MICROS);
  const [row] = await db.query('SELECT * FROM usage_in_period($1, $2, $3)', [ORGANIZATION, isoMicros(thisHour()), end]);
  expect(numbersOf(row)).toMatchObject({ requests: 2 });
});
