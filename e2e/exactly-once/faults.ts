import { setTimeout as delay } from 'node:timers/promises';
import { until } from '@tollgate/testing/until';
import type { Random } from '../../test/fuzz/random.js';
import type { Part, Pipeline } from './pipeline.js';

export const FAULTS = ['collector', 'writer', 'broker', 'database', 'rebalance', 'zombie'] as const;
/** `at its worst`: where a mutant has made a gap, and waits in it; see mutate-sql.mjs. */
export type Fault = (typeof FAULTS)[number] | 'writer at its worst' | 'zombie at its worst';

/** Longer than Kafka waits for a silent member of the group (10 s), so that its partitions go to another. */
const ZOMBIE_MS = 16_000;
const OVERTAKING_DEADLINE_MS = 90_000;
const STORING_DEADLINE_MS = 20_000;

const GAP = 'mutant waits';
const GAP_DEADLINE_MS = 30_000;

/** Does one kind of harm, at a moment of chance, and mends it. */
export async function harm(fault: Fault, pipeline: Pipeline, random: Random): Promise<void> {
  const writer = random.pick(pipeline.writers.slice(0, 2));
  await delay(random.below(1500));
  switch (fault) {
    case 'collector':
      return killed(pipeline.collector, random);
    case 'writer':
      // One that has only just found its partitions has nothing under way.
      await isStoring(pipeline);
      return killed(writer, random);
    case 'writer at its worst':
      return killed(await inItsGap(pipeline.writers.slice(0, 2)), random);
    case 'broker':
      await pipeline.kafka.kill();
      await delay(random.below(2000));
      return pipeline.kafka.start();
    case 'database':
      await pipeline.database.kill();
      await delay(random.below(1000));
      return pipeline.database.start();
    case 'rebalance':
      return joinAndLeave(pipeline.writers.at(-1) as Part, random);
    case 'zombie':
      writer.signal('SIGSTOP');
      await delay(ZOMBIE_MS);
      return writer.signal('SIGCONT');
    case 'zombie at its worst': {
      const stopped = await inItsGap(pipeline.writers.slice(0, 2));
      stopped.signal('SIGSTOP');
      // What it holds was stored by another, and what came behind that too.
      await pipeline.drained(OVERTAKING_DEADLINE_MS);
      stopped.signal('SIGCONT');
    }
  }
}

/** Resolves when a batch was stored from now on, or none comes any more. */
async function isStoring({ sql }: Pipeline): Promise<void> {
  const last = async () => String((await sql('SELECT max(updated_at)::text AS at FROM consumer_offsets'))[0]?.['at']);
  const before = await last();
  await until(async () => (await last()) !== before, STORING_DEADLINE_MS, 'a batch').catch(() => {});
}

async function killed(part: Part, random: Random): Promise<void> {
  await part.kill();
  await delay(random.below(500));
  await part.start();
}

async function inItsGap(writers: readonly Part[]): Promise<Part> {
  const said = () => Promise.all(writers.map((writer) => writer.said(GAP)));
  const before = await said();
  const isIn = async () => {
    const now = await said();
    return writers.find((_, i) => (now[i] as number) > (before[i] as number));
  };
  return until(isIn, GAP_DEADLINE_MS, 'a writer in the gap of its mutant');
}

async function joinAndLeave(guest: Part, random: Random): Promise<void> {
  for (let times = 0; times < 3; times++) {
    await guest.start();
    await delay(500 + random.below(1500));
    await (random.chance(0.5) ? guest.stop() : guest.kill());
  }
}
