import assert from 'node:assert/strict';
import type { LimitStore, TakeResult } from '../src/limit-store.js';
import { rate, taker } from './limit-store-behaves.js';

export interface ConcurrentTakes {
  passed: number;
  left: number;
  /** What the emptied bucket got back while they asked: no more than `most`, at least `least`, by a clock of nobody's. */
  least: number;
  most: number;
}

type Taker = Pick<LimitStore, 'take'>;

/** Every store asks `together` at a time for the same organization, for so long. The bucket is emptied first, or a slow start would find it full. */
export async function concurrentTakes(
  stores: readonly Taker[],
  organizationId: string,
  { perMinute = 6_000, burst = 100, together = 64, forMs = 500 } = {},
): Promise<ConcurrentTakes> {
  const limits = [rate(perMinute, burst)];
  const take = (store: Taker): ((cost: number) => Promise<TakeResult>) => taker(store, limits, organizationId);
  const first = take(stores[0] as Taker);
  const beforeMs = performance.now();
  assert.ok((await first(burst)).isAllowed, 'the bucket was not full');
  let passed = 0;
  const emptiedMs = performance.now();
  const askOn = async (store: Taker): Promise<void> => {
    const ask = take(store);
    while (performance.now() < emptiedMs + forMs) if ((await ask(1)).isAllowed) passed++;
  };
  await Promise.all(stores.flatMap((store) => Array.from({ length: together }, () => askOn(store))));
  const lookMs = performance.now();
  const left = (await first(0)).states[0]?.remaining ?? 0;
  const afterMs = performance.now();
  const within = (ms: number): number => (ms * perMinute) / 60_000;
  return { passed, left, least: within(lookMs - emptiedMs), most: within(afterMs - beforeMs) };
}
