import { setTimeout as pause } from 'node:timers/promises';
import { type Pipeline, TOPIC } from '../exactly-once/pipeline.js';

const LOOK_EVERY_MS = 20;

type Offsets = ReadonlyMap<number, bigint>;

interface Look {
  atMs: number;
  stored: Offsets;
}

export interface Standing {
  /** The longest that a partition's stored offset stood on one place while the topic held more; other partitions had their turn meanwhile. */
  stillMs: number;
  /** Where that was. */
  partition: number;
  offset: bigint;
  /** The longest that no partition moved. */
  silentMs: number;
  /** From the first stored batch to the last. */
  tookMs: number;
}

/** Looks at how far the writer has come, as its table says, until all that the topic holds is stored. Counts from the first stored batch on. */
export async function watchPosition({ sql, ends }: Pipeline, deadlineMs: number): Promise<Standing> {
  const endOf = await ends();
  const endMs = performance.now() + deadlineMs;
  const looks: Look[] = [];
  for (;;) {
    const look = { stored: await storedOffsets(sql), atMs: performance.now() };
    if (look.stored.size > 0) looks.push(look);
    if ([...endOf].every(([partition, end]) => (look.stored.get(partition) ?? 0n) >= end)) return standingOf(looks, endOf);
    if (look.atMs > endMs) throw new Error(`the writer has not stored all after ${deadlineMs} ms`);
    await pause(LOOK_EVERY_MS);
  }
}

function standingOf(looks: readonly Look[], endOf: Offsets): Standing {
  const beganMs = looks[0]?.atMs ?? 0;
  const standing = { stillMs: 0, partition: 0, offset: 0n, silentMs: 0, tookMs: (looks.at(-1)?.atMs ?? 0) - beganMs };
  const sinceMs = new Map<number, number>();
  let movedMs = beganMs;
  looks.forEach(({ atMs, stored }, i) => {
    const before = looks[Math.max(0, i - 1)]?.stored;
    for (const [partition, end] of endOf) {
      const offset = before?.get(partition) ?? 0n;
      const stillMs = atMs - (sinceMs.get(partition) ?? beganMs);
      // Whoever is at the end has nothing to do.
      if (offset < end && stillMs > standing.stillMs) Object.assign(standing, { stillMs, partition, offset });
      if ((stored.get(partition) ?? 0n) === offset) continue;
      standing.silentMs = Math.max(standing.silentMs, atMs - movedMs);
      movedMs = atMs;
      sinceMs.set(partition, atMs);
    }
  });
  return standing;
}

async function storedOffsets(sql: Pipeline['sql']): Promise<Offsets> {
  const rows = await sql<{ partition: number; next_offset: string }>(
    'SELECT partition, next_offset FROM consumer_offsets WHERE topic = $1',
    [TOPIC],
  );
  return new Map(rows.map(({ partition, next_offset }) => [partition, BigInt(next_offset)]));
}
