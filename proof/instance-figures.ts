/** What a process tells of itself, and what the kernel tells of it. */
import { readdir, readFile } from 'node:fs/promises';
import type { Instance } from '../e2e/cluster.js';

/** The sum of the series of a metric whose labels hold this text. Throws where there are none. */
export async function metricOf(instance: Instance, name: string, labels = ''): Promise<number> {
  const lines = (await instance.page('/metrics')).split('\n').filter((line) => /[{ ]/.exec(line.slice(name.length))?.index === 0);
  const own = lines.filter((line) => line.startsWith(name) && line.includes(labels));
  if (own.length === 0) throw new Error(`${instance.name} has no metric ${name} ${labels}`);
  return own.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

export async function sumOf(instances: readonly Instance[], name: string, labels = ''): Promise<number> {
  const values = await Promise.all(instances.map((instance) => metricOf(instance, name, labels)));
  return values.reduce((sum, value) => sum + value, 0);
}

/** Observations of a histogram above one of its bounds. */
export async function observedAbove(instances: readonly Instance[], histogram: string, bound: string): Promise<number> {
  const total = await sumOf(instances, `${histogram}_count`);
  return total - (await sumOf(instances, `${histogram}_bucket`, `le="${bound}"`));
}

/** Linux. */
export async function residentMb(instance: Instance): Promise<number> {
  const status = await readFile(`/proc/${instance.pid()}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

export async function openFiles(instance: Instance): Promise<number> {
  return (await readdir(`/proc/${instance.pid()}/fd`)).length;
}
