/** From rounds of overload to a page that a person can read. */
import type { LoadReport } from './check-load.js';

export interface OverloadRound {
  name: string;
  load: LoadReport;
  authzCpuSeconds: number;
}

export interface OverloadFacts {
  /** Decisions a second. */
  peak: number;
  sides: readonly { side: string; rounds: readonly OverloadRound[] }[];
  /** Name and value, in the order in which they are told. */
  about: readonly (readonly [string, string])[];
}

const COLUMNS = [
  ...[
    'load',
    'calls/s',
    'decided in time/s',
    'of peak',
    'the same per CPU second of authz',
    'p50 / p99 of those',
    'shed by authz/s',
    'p50 / p99 of those',
  ],
  ...['refused by Envoy/s', 'given up/s', 'lost with a connection/s', 'CPU authz', 'CPU load generator'],
];

export function overloadReport({ peak, sides, about }: OverloadFacts): string {
  const table = [
    `| ${COLUMNS.join(' | ')} |`,
    `|---|${COLUMNS.slice(1)
      .map(() => '---:|')
      .join('')}`,
    ...sides.flatMap(({ rounds }) => rounds.map((round) => row(round, peak))),
  ];
  return `${[
    '# What does authz do with more calls than it can serve?',
    `Its peak is ${Math.round(peak)} decisions a second: more did not come, however many calls were kept in flight. Calls then come at a fixed rate, whatever comes back, and a latency counts from the moment when its call was due. The decisions of a CPU second depend less on what else the machine does than those of a second.`,
    table.join('\n'),
    about.map(([name, value]) => `- ${name}: ${value}`).join('\n'),
  ].join('\n\n')}\n`;
}

function row({ name, load, authzCpuSeconds }: OverloadRound, peak: number): string {
  const each = (count: number): string => String(Math.round(count / load.seconds));
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const perCpuSecond = String(Math.round(load.accepted / authzCpuSeconds));
  const cells = [
    ...[name, each(load.due), each(load.accepted), percent(load.accepted / load.seconds / peak), perCpuSecond],
    ...[latency(load.accepted50Ms, load.accepted99Ms), each(load.shed), latency(load.shed50Ms, load.shed99Ms)],
    ...[each(load.refused), each(load.late), each(load.broken)],
    ...[percent(authzCpuSeconds / load.seconds), percent(load.cpuSeconds / load.seconds)],
  ];
  return `| ${cells.join(' | ')} |`;
}

function latency(p50: number, p99: number): string {
  return Number.isNaN(p50) ? '' : `${p50.toFixed(1)} / ${p99.toFixed(1)} ms`;
}
