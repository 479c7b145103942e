import type { Timing } from './fixed-rate.js';
import type { ServiceLatency } from './service-latency.js';
import { percentile } from './statistics.js';

/** One run against one of both. */
export interface Latencies {
  side: 'alone' | 'gateway';
  perSecond: number;
  timing: Timing;
  isDisturbed: boolean;
}

const SHARES = [0.5, 0.95, 0.99, 0.999];
const NAMES = 'P50 | P95 | P99 | P99.9';

export function latencyReport(
  runs: readonly Latencies[],
  services: readonly ServiceLatency[],
  degraded: number,
  about: readonly (readonly [string, string])[],
): string {
  const rates = [...new Set(runs.map(({ perSecond }) => perSecond))];
  const disturbed = runs.filter(({ isDisturbed }) => isDisturbed).length;
  const latest = Math.max(...runs.map(({ timing }) => timing.latestMs));
  return `${[
    '# How much later do answers come than from Envoy alone?',
    'Milliseconds from the request to the end of its answer, over all rounds. Added: the difference of both percentiles.',
    [
      `| requests a second | | requests | failed | ${NAMES} |`,
      '|---:|---|---:|---:|---:|---:|---:|---:|',
      ...rates.flatMap((rate) => rowsOf(runs.filter(({ perSecond }) => perSecond === rate))),
    ].join('\n'),
    'authz and ratelimit asked directly at 1,000 calls a second, and beside them a service that does nothing, from when each call was due:',
    [
      `| service | calls | errors | ${NAMES} | the load generator's own delay, at most |`,
      '|---|---:|---:|---:|---:|---:|---:|---:|',
      ...services.map((each) => cells(each.name, each.calls, each.errors, ...at(each.latenciesMs), shown(each.latestMs))),
    ].join('\n'),
    [
      `- Of ratelimit's answers the local share decided ${degraded}, with their warm-up: Redis was too late for them.`,
      `- The load generator itself sent no request more than ${latest.toFixed(1)} ms late.`,
      ...(disturbed > 0 ? [`- **The machine was not calm**: ${disturbed} of ${runs.length} runs were disturbed.`] : []),
    ].join('\n'),
    about.map(([name, value]) => `- ${name}: ${value}`).join('\n'),
  ].join('\n\n')}\n`;
}

function rowsOf(runs: readonly Latencies[]): string[] {
  const [alone, gateway] = (['alone', 'gateway'] as const).map((side) => runs.filter((run) => run.side === side)) as [
    Latencies[],
    Latencies[],
  ];
  const [below, above] = [alone, gateway].map((side) =>
    SHARES.map((share) =>
      percentile(
        side.flatMap(({ timing }) => [...timing.latenciesMs]).sort((a, b) => a - b),
        share,
      ),
    ),
  ) as [number[], number[]];
  const rate = runs[0]?.perSecond ?? 0;
  return [
    cells(rate, 'Envoy alone', ...countsOf(alone), ...below.map(shown)),
    cells('', 'the gateway', ...countsOf(gateway), ...above.map(shown)),
    cells('', '**added**', '', '', ...above.map((ms, i) => `**${shown(ms - (below[i] ?? 0))}**`)),
  ];
}

function countsOf(runs: readonly Latencies[]): [sent: number, failed: number] {
  const sum = (of: (timing: Timing) => number): number => runs.reduce((total, { timing }) => total + of(timing), 0);
  return [sum(({ sent }) => sent), sum(({ failures }) => failures)];
}

const at = (sorted: readonly number[]): string[] => SHARES.map((share) => shown(percentile(sorted, share)));
const shown = (ms: number): string => ms.toFixed(2);

function cells(...values: readonly (string | number)[]): string {
  return `| ${values.join(' | ')} |`;
}
