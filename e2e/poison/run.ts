import { createHash } from 'node:crypto';
import { until } from '@tollgate/testing/until';
import { RULES_OF_THE_DATABASE } from '../../usage-processor/test/writer/poison-kinds.js';
import { type Pipeline, type PipelineOptions, startPipeline } from '../exactly-once/pipeline.js';
import { type Standing, watchPosition } from './standing.js';
import { valuesOf } from './values.js';

export interface PoisonRunOptions {
  seed: number;
  /** All that the topic holds, poison and not. */
  values: number;
  poison: number;
  mutant?: string;
  programs?: PipelineOptions['programs'];
  deadlineMs?: number;
}

export interface PoisonDifferences {
  /** Good events that are not stored. */
  lost: number;
  /** Stored more than once. */
  doubled: number;
  /** Stored, though they were not told, or with another number of units. */
  wrong: number;
  /** Poison without a dead letter, and dead letters that are no poison, or one too many. */
  letterless: number;
  lettersTooMany: number;
  /** 1 where the hours do not add up to the good events. */
  hoursOff: number;
}

export const NO_DIFFERENCE: PoisonDifferences = { lost: 0, doubled: 0, wrong: 0, letterless: 0, lettersTooMany: 0, hoursOff: 0 };

/** What was put into the topic, as it has to come out. */
interface Told {
  /** Units by the ids of good events; those of what is not billable are 0. */
  units: Map<string, { units: number; billed: number }>;
  /** How often each value that is poison, by its SHA-256 in hex. */
  poison: Map<string, number>;
}

/** What Kafka takes at once, also where all of them are long and go into one partition. */
const MESSAGES = 400;
const LEADERS_DEADLINE_MS = 60_000;
const SLICES = [...'0123456789abcdef'];

/**
 * Fills a topic with usage events and poison, has one writer store it in a database that has rules of its own, and compares both
 * ends by event ids and by the hashes of the poison.
 */
export async function runPoison(options: PoisonRunOptions): Promise<{ found: PoisonDifferences; standing: Standing }> {
  const { mutant, programs, deadlineMs = 120_000 + options.values } = options;
  const pipeline = await startPipeline({ writers: 1, ...(mutant && { mutant }), ...(programs && { programs }) });
  try {
    for (const rule of RULES_OF_THE_DATABASE) await pipeline.sql(rule);
    await pipeline.makeTopic();
    const told = await fill(pipeline, options);
    await pipeline.writers[0]?.start();
    const standing = await watchPosition(pipeline, deadlineMs);
    return { found: await differences(pipeline, told), standing };
  } finally {
    await pipeline.close();
  }
}

async function fill({ produceRaw, ends }: Pipeline, options: PoisonRunOptions): Promise<Told> {
  // Every partition has a leader when all of them tell their ends: before that a message may be sent twice.
  await until(ends, LEADERS_DEADLINE_MS, 'leaders of all partitions');
  const told: Told = { units: new Map(), poison: new Map() };
  const waiting: { key: string | null; value: Buffer }[] = [];
  for (const { key, bytes, event } of valuesOf({ ...options, nowMs: Date.now() })) {
    waiting.push({ key, value: bytes });
    if (event === undefined) {
      const hash = createHash('sha256').update(bytes).digest('hex');
      told.poison.set(hash, (told.poison.get(hash) ?? 0) + 1);
    } else told.units.set(event.event_id, { units: event.units, billed: event.billable ? event.units : 0 });
    if (waiting.length === MESSAGES) await produceRaw(waiting.splice(0));
  }
  if (waiting.length > 0) await produceRaw(waiting);
  const held = [...(await ends()).values()].reduce((sum, end) => sum + Number(end), 0);
  if (held !== options.values) throw new Error(`the topic holds ${held} values, and ${options.values} were told: run it again`);
  return told;
}

async function differences({ sql }: Pipeline, told: Told): Promise<PoisonDifferences> {
  const found = { ...NO_DIFFERENCE };
  let stored = 0;
  // A million rows at a time would be half a gigabyte here.
  for (const slice of SLICES) {
    const rows = await sql<{ id: string; copies: number; units: number }>(
      `SELECT replace(event_id::text, '-', '') AS id, count(*)::int AS copies, min(units) AS units FROM usage_events
       WHERE left(event_id::text, 1) = $1 GROUP BY event_id`,
      [slice],
    );
    for (const { id, copies, units } of rows) {
      const event = told.units.get(id);
      if (event === undefined || event.units !== units) found.wrong++;
      if (event !== undefined) stored++;
      found.doubled += copies - 1;
    }
  }
  found.lost = told.units.size - stored;
  await compareLetters(sql, told, found);
  const billed = [...told.units.values()].reduce((sum, event) => sum + event.billed, 0);
  const [sums] = await sql<{ requests: string; units: string }>(
    'SELECT sum(requests) AS requests, sum(billable_units) AS units FROM usage_hourly',
  );
  found.hoursOff = Number(sums?.requests) === told.units.size && Number(sums?.units) === billed ? 0 : 1;
  return found;
}

async function compareLetters(sql: Pipeline['sql'], { poison }: Told, found: PoisonDifferences): Promise<void> {
  const rows = await sql<{ hash: string; letters: number }>(
    "SELECT value_hash AS hash, count(*)::int AS letters FROM usage_dead_letters WHERE reason <> '' GROUP BY 1",
  );
  const letters = new Map(rows.map((row) => [row.hash, row.letters]));
  for (const [hash, count] of poison) found.letterless += Math.max(0, count - (letters.get(hash) ?? 0));
  for (const [hash, count] of letters) found.lettersTooMany += Math.max(0, count - (poison.get(hash) ?? 0));
}
