/** What each service holds, as long as it is the same process: heap after a collection, and open files. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '@tollgate/testing/until';
import type { Instance } from '../../e2e/cluster.js';
import { metricOf, openFiles } from '../instance-figures.js';

const HEAP_DEADLINE_MS = 30_000;

export interface Look {
  name: string;
  heapMb: number;
  files: number;
}

export function lookAt(instances: readonly Instance[], heapFolder: string): Promise<Look[]> {
  return Promise.all(
    instances.map(async (instance) => {
      const file = join(heapFolder, `${instance.pid()}.json`);
      await rm(file, { force: true });
      instance.signal('SIGUSR2');
      const text = await until(() => readFile(file, 'utf8'), HEAP_DEADLINE_MS, `the heap of ${instance.name}`);
      const { heapUsed } = JSON.parse(text) as { heapUsed: number };
      return { name: instance.name, heapMb: heapUsed / 2 ** 20, files: await openFiles(instance) };
    }),
  );
}

/** The largest growth of any of them from one look to another. */
export function grown(before: readonly Look[], after: readonly Look[], what: 'heapMb' | 'files'): number {
  return Math.max(...after.map((look) => look[what] - (before.find(({ name }) => name === look.name)?.[what] ?? 0)));
}

/** P99 of the event loops since they were asked last, the largest of each service. */
export interface Loops {
  /** Asks, and forgets what they say. */
  reset(): Promise<void>;
  note(): Promise<void>;
  /** By the name of the service, ms. */
  worst(): Record<string, number>;
}

export function watchLoops(instances: readonly Instance[]): Loops {
  const worst = new Map<string, number>();
  const ask = () => Promise.all(instances.map((each) => metricOf(each, 'nodejs_eventloop_lag_p99_seconds')));
  return {
    reset: async () => void (await ask()),
    async note() {
      const seconds = await ask();
      for (const [i, { name }] of instances.entries()) worst.set(name, Math.max(worst.get(name) ?? 0, (seconds[i] ?? 0) * 1000));
    },
    worst: () => Object.fromEntries(worst),
  };
}
