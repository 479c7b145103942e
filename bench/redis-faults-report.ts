import type { Asked } from './limit-client.js';
import { percentile } from './statistics.js';

export interface Phase extends Omit<Asked, 'degraded'> {
  name: string;
  /** Decided without Redis; undefined where nothing is decided. */
  degraded: number | undefined;
  /** Of ratelimit at the end of the phase. */
  residentBytes: number;
}

export function faultsReport(phases: readonly Phase[], about: readonly (readonly [string, string])[]): string {
  return `${[
    '# How late is ratelimit while Redis is in trouble?',
    'Milliseconds from when a call was due to its answer. What Redis did not decide in its 8 ms, the local share decided.',
    [
      '| Redis | calls | errors | decided without Redis | P50 | P99 | P99.9 | first decision of Redis after | memory, MB |',
      '|---|---:|---:|---:|---:|---:|---:|---:|---:|',
      ...phases.map(row),
    ].join('\n'),
    about.map(([name, value]) => `- ${name}: ${value}`).join('\n'),
  ].join('\n\n')}\n`;
}

function row({ name, calls, errors, degraded, latenciesMs, firstByRedisMs, residentBytes }: Phase): string {
  const at = (share: number): string => percentile(latenciesMs, share).toFixed(1);
  const first = firstByRedisMs === undefined ? '-' : `${(firstByRedisMs / 1000).toFixed(2)} s`;
  const cells = [name, calls, errors, degraded ?? '-', at(0.5), at(0.99), at(0.999), first, (residentBytes / 1e6).toFixed(0)];
  return `| ${cells.join(' | ')} |`;
}
