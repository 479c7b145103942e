import { nextTick } from 'node:process';
import type { TakeRequest, TakeResult } from '../limit-store.js';

interface Batch<Lane> {
  lane: Lane;
  takes: TakeRequest[];
  waiting: { resolve(result: TakeResult): void; reject(error: unknown): void }[];
}

/** So that one script keeps Redis from others for less than a millisecond. */
const MAX_TAKES = 64;

/**
 * Gathers the takes that are asked for in one turn of the event loop, so that they go to Redis as one command: those that go
 * the same way under the same word. `takeTogether` answers each of them, in their order.
 */
export function gatherTakes<Lane>(takeTogether: (lane: Lane, takes: readonly TakeRequest[]) => Promise<readonly TakeResult[]>) {
  // Of this turn alone: a Map that is cleared and filled again points from table to table, so that none dies young.
  let batches = new Map<string, Batch<Lane>>();

  const send = ({ lane, takes, waiting }: Batch<Lane>): void => {
    takeTogether(lane, takes).then(
      (results) => waiting.forEach(({ resolve }, i) => void resolve(results[i] as TakeResult)),
      (error: unknown) => waiting.forEach(({ reject }) => void reject(error)),
    );
  };
  const sendAll = (): void => {
    const due = batches;
    batches = new Map();
    for (const batch of due.values()) send(batch);
  };
  const batchOf = (lane: Lane, word: string): Batch<Lane> => {
    const found = batches.get(word);
    if (found !== undefined && found.lane === lane && found.takes.length < MAX_TAKES) return found;
    if (found !== undefined) send(found);
    else if (batches.size === 0) nextTick(sendAll);
    const batch: Batch<Lane> = { lane, takes: [], waiting: [] };
    batches.set(word, batch);
    return batch;
  };

  return (lane: Lane, word: string, take: TakeRequest): Promise<TakeResult> =>
    new Promise((resolve, reject) => {
      const batch = batchOf(lane, word);
      batch.takes.push(take);
      batch.waiting.push({ resolve, reject });
    });
}
