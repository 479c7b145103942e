import { CacheBusy, createRecordCache, type RecordCache } from '@tollgate/cache/record-cache';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

const KEYS = ['a', 'b', 'c'] as const;
type Key = (typeof KEYS)[number];
type Row = { key: Key; version: number };

const MAX = 2;
const MAX_LOADS = 3;

/**
 * A world in which every change of a row raises its version and is then told to the cache. Reads take their row at one
 * moment and answer at another, so that any amount of old answers is under way.
 */
function aWorld() {
  const rows = new Map<Key, { version: number; exists: boolean }>(KEYS.map((key) => [key, { version: 0, exists: true }]));
  /** The version that the cache was last told of: nothing older may be answered to those who ask from then on. */
  const told = new Map<Key, number>(KEYS.map((key) => [key, 0]));
  const reads: { key: Key; finish: (failure?: Error) => void }[] = [];
  const watched: Promise<void>[] = [];
  let nowMs = 0;
  let running = 0;

  const cache: RecordCache<Row> = createRecordCache<Row>({
    max: MAX,
    ttlMs: 100,
    refreshAheadMs: 50,
    negativeMax: MAX,
    negativeTtlMs: 20,
    maxLoads: MAX_LOADS,
    load: (key) => read(key as Key),
  });

  function read(key: Key): Promise<Row | undefined> {
    const seen = { ...row(key) };
    running++;
    expect(running).toBeLessThanOrEqual(MAX_LOADS);
    return new Promise((resolve, reject) => {
      const finish = (failure?: Error) => {
        running--;
        if (failure !== undefined) reject(failure);
        else resolve(seen.exists ? { key, version: seen.version } : undefined);
      };
      reads.push({ key, finish });
    });
  }

  function row(key: Key) {
    return rows.get(key) as { version: number; exists: boolean };
  }

  function change(key: Key, exists: boolean): void {
    rows.set(key, { version: row(key).version + 1, exists });
  }

  function tellAll(): void {
    for (const key of KEYS) told.set(key, row(key).version);
  }

  function expectNotOlder(value: Row | undefined, key: Key, least: number): void {
    if (value === undefined) return;
    expect(value.key).toBe(key);
    expect(value.version).toBeGreaterThanOrEqual(least);
  }

  const steps = {
    change: (key: Key, exists: boolean) => change(key, exists),
    changeAndDrop(key: Key, exists: boolean) {
      change(key, exists);
      cache.drop(key);
      told.set(key, row(key).version);
    },
    changeAndDropWhere(key: Key) {
      change(key, true);
      cache.dropWhere((value) => value.key === key);
      // Only records are dropped here: an absence of this key may live out its few milliseconds.
      told.set(key, row(key).version);
    },
    clear() {
      cache.clear();
      tellAll();
    },
    load(key: Key) {
      const least = told.get(key) as number;
      const check = async () => {
        try {
          expectNotOlder(await cache.load(key, nowMs), key, least);
        } catch (error) {
          if (!(error instanceof CacheBusy) && (error as Error).message !== 'source down') throw error;
        }
      };
      watched.push(check());
    },
    finish(index: number, isFailure: boolean) {
      const [picked] = reads.splice(reads.length === 0 ? 0 : index % reads.length, 1);
      picked?.finish(isFailure ? new Error('source down') : undefined);
    },
    wait(forMs: number) {
      nowMs += forMs;
    },
  };

  function expectTrue(): void {
    for (const key of KEYS) {
      expectNotOlder(cache.get(key, nowMs), key, told.get(key) as number);
      expectNotOlder(cache.getStale(key), key, told.get(key) as number);
      if (cache.isKnownAbsent(key, nowMs)) expect(cache.getStale(key)).toBeUndefined();
    }
    expect(cache.size()).toBeLessThanOrEqual(MAX);
  }

  async function end(): Promise<void> {
    while (reads.length > 0) steps.finish(0, false);
    await Promise.all(watched);
    expectTrue();
  }

  return { steps, expectTrue, end };
}

type World = ReturnType<typeof aWorld>;
type Step = (steps: World['steps']) => void;

const aKey = fc.constantFrom(...KEYS);
const aStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.tuple(aKey, fc.boolean()).map(
      ([key, exists]): Step =>
        (s) =>
          s.change(key, exists),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(aKey, fc.boolean()).map(
      ([key, exists]): Step =>
        (s) =>
          s.changeAndDrop(key, exists),
    ),
  },
  {
    weight: 1,
    arbitrary: aKey.map(
      (key): Step =>
        (s) =>
          s.changeAndDropWhere(key),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>((s) => s.clear()) },
  {
    weight: 5,
    arbitrary: aKey.map(
      (key): Step =>
        (s) =>
          s.load(key),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(fc.nat(5), fc.nat(9)).map(
      ([index, luck]): Step =>
        (s) =>
          s.finish(index, luck === 0),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.integer({ min: 1, max: 60 }).map(
      (forMs): Step =>
        (s) =>
          s.wait(forMs),
    ),
  },
);

test('whatever happens in whatever order, nothing older than the last drop is answered', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(aStep, { maxLength: 60 }), fc.infiniteStream(fc.boolean()), async (steps, pauses) => {
      const world = aWorld();
      for (const step of steps) {
        step(world.steps);
        // Sometimes answers get the time to land before the next step, sometimes they do not.
        if (pauses.next().value) for (let i = 0; i < 5; i++) await Promise.resolve();
        world.expectTrue();
      }
      await world.end();
    }),
    { numRuns: 3000 },
  );
});
