import { sum } from './machine.js';

/** What a service's metrics page tells under this name, over all labels. Throws where it tells nothing, which is no 0. */
export function metricIn(page: string, name: string): number {
  const values = [...page.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].map(([, value]) => Number(value));
  if (values.length === 0) throw new Error(`the metrics have no ${name}`);
  return sum(values);
}
