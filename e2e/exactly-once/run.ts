import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '@tollgate/testing/until';
import { type Random, randomOf } from '../../test/fuzz/random.js';
import { deliver, NODE_ID } from './delivery.js';
import { anEndedCall, type EndedCall, type ExpectedEvent, expectedOf } from './ended-calls.js';
import { type Fault, harm } from './faults.js';
import { type Differences, differences, watchOffsets } from './ledger.js';
import { type Pipeline, type PipelineOptions, startPipeline, TOPIC } from './pipeline.js';

export interface RunOptions {
  seed: number;
  events: number;
  faults: readonly Fault[];
  mutant?: string;
  programs?: PipelineOptions['programs'];
  /** Before anything is stored, for a mutant that a constraint of the table would stop. */
  prepare?: (pipeline: Pipeline) => Promise<void>;
  /** Values that are no events: how many stand in the topic among the others. */
  poison?: number;
  drainDeadlineMs?: number;
  /** Told at once; fewer take longer to tell, so that harm finds work under way. */
  epochCalls?: number;
  /** Told of each fault before it happens. */
  tell?: (fault: Fault) => void;
}

const ORGANIZATIONS = 40;
const EPOCH_CALLS = 2_000;
const DUPLICATE_SHARE = 0.3;
const DRAIN_DEADLINE_MS = 180_000;
const REPLAYED_PARTITION = 3;

/**
 * Tells a collector of `events` ended calls while `faults` happen, 30 % of them twice; then has a whole partition read again,
 * and the last calls told again into a topic that was made anew. Returns what is stored otherwise than was told.
 */
export async function runExactlyOnce(options: RunOptions): Promise<Differences> {
  const { mutant, programs } = options;
  const pipeline = await startPipeline({ writers: 3, ...(mutant && { mutant }), ...(programs && { programs }) });
  try {
    await options.prepare?.(pipeline);
    return await tellAndCompare(pipeline, options);
  } finally {
    await pipeline.close();
  }
}

async function tellAndCompare(pipeline: Pipeline, options: RunOptions): Promise<Differences> {
  const { seed, faults, poison = 0, drainDeadlineMs = DRAIN_DEADLINE_MS } = options;
  const random = randomOf(seed, 0);
  const calls = makeCalls(random, options.events);
  const expected: ExpectedEvent[] = calls.map((call) => expectedOf(call, NODE_ID));
  await pipeline.makeTopic();
  await watchOffsets(pipeline);
  await Promise.all([pipeline.collector.start(), ...pipeline.writers.slice(0, 2).map((writer) => writer.start())]);

  const isHarmed = inTurn(faults, pipeline, randomOf(seed, 1), options.tell);
  await tellAll(pipeline, calls, { random: randomOf(seed, 2), epochCalls: options.epochCalls ?? EPOCH_CALLS, harmed: isHarmed });
  await isHarmed;
  if (poison > 0) await pipeline.produceRaw(Array.from({ length: poison }, (_, i) => ({ value: aPoison(i) })));
  await pipeline.drained(drainDeadlineMs);
  await replayPartition(pipeline, drainDeadlineMs);
  await makeLogAnew(pipeline, calls.slice(-Math.ceil(calls.length / 10)), drainDeadlineMs);
  const found = await differences(pipeline, expected);
  return { ...found, deadLetters: found.deadLetters - poison };
}

/** Cut off, another version, no event at all, no text, longer than any event. */
function aPoison(number: number): Buffer {
  const kinds = [
    Buffer.from(`{"v":1,"poison":${number}`),
    Buffer.from(`{"v":9,"poison":${number}}`),
    Buffer.from(`["poison",${number},null,-1,1e999]`),
    Buffer.from([0xff, 0xfe, number & 0xff, number >> 8, 0x80]),
    Buffer.alloc(70_000, `poison ${number} `),
  ];
  return kinds[number % kinds.length] as Buffer;
}

function makeCalls(random: Random, count: number): EndedCall[] {
  const organizations = Array.from({ length: ORGANIZATIONS }, () => randomUUID());
  const nowMs = Date.now();
  return Array.from({ length: count }, (_, number) => anEndedCall(random, number, organizations, nowMs));
}

async function inTurn(
  faults: readonly Fault[],
  pipeline: Pipeline,
  random: Random,
  tell: (fault: Fault) => void = () => {},
): Promise<void> {
  for (const fault of faults) {
    tell(fault);
    await harm(fault, pipeline, random);
    await delay(random.below(1000));
  }
}

/** In epochs, spread over the time that the faults take: what follows them has nobody to hurt. */
async function tellAll(
  pipeline: Pipeline,
  calls: readonly EndedCall[],
  { random, epochCalls, harmed }: { random: Random; epochCalls: number; harmed: Promise<void> },
): Promise<void> {
  let isOver = false;
  const over = harmed.finally(() => {
    isOver = true;
  });
  over.catch(() => {});
  const isBack = () => delay(100 + random.below(200));
  for (let start = 0; start < calls.length; start += epochCalls) {
    const epoch = calls.slice(start, start + epochCalls);
    const again = epoch.filter(() => random.chance(DUPLICATE_SHARE));
    await deliver(pipeline.collectorAddress, [...epoch, ...again], isBack);
    if (!isOver) await delay(random.below(800));
  }
}

/** Has every writer read one partition from its beginning, as an operator might who mistrusts the tables. */
async function replayPartition(pipeline: Pipeline, deadlineMs: number): Promise<void> {
  await Promise.all(pipeline.writers.map((writer) => writer.stop()));
  await pipeline.sql(
    `WITH allowed AS MATERIALIZED (SELECT set_config('test.replays', 'on', true))
     UPDATE consumer_offsets SET next_offset = 0 FROM allowed WHERE topic = $1 AND partition = $2`,
    [TOPIC, REPLAYED_PARTITION],
  );
  await Promise.all(pipeline.writers.slice(0, 2).map((writer) => writer.start()));
  await pipeline.drained(deadlineMs);
}

async function makeLogAnew(pipeline: Pipeline, told: readonly EndedCall[], deadlineMs: number): Promise<void> {
  const ids = () => pipeline.sql<{ log_id: string }>('SELECT DISTINCT log_id FROM consumer_offsets WHERE topic = $1', [TOPIC]);
  const before = (await ids()).length;
  await pipeline.deleteTopic();
  await pipeline.makeTopic();
  await deliver(pipeline.collectorAddress, told, () => delay(200));
  await until(async () => (await ids()).length === before + 1, deadlineMs, 'offsets of the new log');
  await pipeline.drained(deadlineMs);
}
