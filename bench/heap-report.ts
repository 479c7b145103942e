import { percentile, shownSpread } from './statistics.js';

export interface HeapRound {
  name: string;
  /** MiB of a half of the young generation; undefined is the default. */
  size: number | undefined;
  calls: number;
  errors: number;
  latenciesMs: readonly number[];
  cpuMicros: number;
  gcMicros: number;
  collections: number;
  residentBytes: number;
}

const SHARES = [0.5, 0.99, 0.999];

export function heapReport(rounds: readonly HeapRound[], about: readonly (readonly [string, string])[]): string {
  const subjects = [...new Map(rounds.map((round) => [`${round.name} ${round.size}`, round])).values()];
  return `${[
    '# Which heap suits authz and ratelimit?',
    'CPU time a call, and of it garbage collection, in microseconds: median of the rounds (least–most). Latency in milliseconds from when a call was due, over all rounds.',
    [
      '| service | `--max-semi-space-size` | CPU a call | of it collection | collections a round | P50 | P99 | P99.9 | memory, MB | errors |',
      '|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|',
      ...subjects.map(({ name, size }) => row(rounds.filter((round) => round.name === name && round.size === size))),
    ].join('\n'),
    about.map(([name, value]) => `- ${name}: ${value}`).join('\n'),
  ].join('\n\n')}\n`;
}

function row(rounds: readonly HeapRound[]): string {
  const { name = '', size } = rounds[0] ?? {};
  const latencies = rounds.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b);
  const total = (of: (round: HeapRound) => number): number => rounds.reduce((sum, round) => sum + of(round), 0);
  const at = (share: number): string => percentile(latencies, share).toFixed(2);
  const cells = [
    ...[
      name,
      size ?? 'default',
      shownSpread(rounds.map(({ cpuMicros }) => cpuMicros)),
      shownSpread(rounds.map(({ gcMicros }) => gcMicros)),
    ],
    (total(({ collections }) => collections) / rounds.length).toFixed(0),
    ...SHARES.map(at),
    ...[((rounds.at(-1)?.residentBytes ?? 0) / 1e6).toFixed(0), total(({ errors }) => errors)],
  ];
  return `| ${cells.join(' | ')} |`;
}
