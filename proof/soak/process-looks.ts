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

/** P99 of each service's event loop since the last time it was asked, the largest of them. */
export async function loopP99Ms(instances: readonly Instance[]): Promise<number> {
  const values = await Promise.all(instances.map((instance) => metricOf(instance, 'nodejs_eventloop_lag_p99_seconds')));
  return Math.max(...values) * 1000;
}
