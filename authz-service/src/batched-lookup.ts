/** Look-ups that come while others are under way travel together: ten thousand cold keys are a few dozen queries. */
export interface BatchedLookupOptions<Value> {
  /** Finds many at once; those that there are not are left out. It must settle: its deadline is its own. */
  findMany: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>;
  maxBatch: number;
  /** Queries at once. A look-up that finds one free is sent alone, without waiting for company. */
  maxRunning: number;
  /** Look-ups that wait for a query. */
  maxWaiting: number;
}

interface Waiting<Value> {
  key: string;
  resolve: (value: Value | undefined) => void;
  reject: (error: unknown) => void;
}

/** Looks one key up. Every look-up is answered by a query that began after it was asked for. */
export function createBatchedLookup<Value>(options: BatchedLookupOptions<Value>): (key: string) => Promise<Value | undefined> {
  const { findMany, maxBatch, maxRunning, maxWaiting } = options;
  let waiting: Waiting<Value>[] = [];
  let running = 0;

  async function answer(batch: readonly Waiting<Value>[]): Promise<void> {
    try {
      const found = await findMany(batch.map(({ key }) => key));
      for (const { key, resolve } of batch) resolve(found.get(key));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  function send(): void {
    while (running < maxRunning && waiting.length > 0) {
      const batch = waiting.slice(0, maxBatch);
      waiting = waiting.slice(maxBatch);
      running++;
      void answer(batch).finally(() => {
        running--;
        send();
      });
    }
  }

  return (key) =>
    new Promise((resolve, reject) => {
      if (waiting.length >= maxWaiting) return reject(new Error(`${maxWaiting} look-ups wait already`));
      waiting.push({ key, resolve, reject });
      send();
    });
}
