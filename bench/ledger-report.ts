/** From what was measured to a page that a person can read. */
import type { Late } from './late-usage.js';
import { shownSpread } from './statistics.js';

export type Way = 'bare COPY' | 'storeUsage';

/** One stretch of batches by one way. */
export interface Stretch {
  way: Way;
  batch: number;
  rowsPerSecond: number;
  /** CPU time of PostgreSQL and of this process for each event, in microseconds. */
  serverMicros: number;
  clientMicros: number;
}

/** What storing costs when so many rows are stored already, and in turns with it where the table stays small. */
export interface Depth {
  stored: number;
  pairs: readonly Record<'deep' | 'small', Omit<Stretch, 'way'>>[];
}

export interface Measured {
  hasTimescale: boolean;
  stretches: readonly Stretch[];
  depths: readonly Depth[];
  /** Where there is TimescaleDB. */
  late: readonly Late[];
}

const GOAL_LATE_MS = 1_000;

export function ledgerReport(
  { hasTimescale, stretches, depths, late }: Measured,
  about: readonly (readonly [name: string, value: string])[],
): string {
  const batches = [...new Set(stretches.map(({ batch }) => batch))];
  const goal = hasTimescale ? '0.5' : '0.35';
  return `${[
    `# What does storing usage cost beside a bare COPY${hasTimescale ? ' with TimescaleDB' : ''}?`,
    [
      '| way | events a batch | events a second | CPU of PostgreSQL, µs an event | CPU of the writer, µs an event |',
      '|---|---:|---:|---:|---:|',
      ...batches.flatMap((batch) => (['bare COPY', 'storeUsage'] as const).map((way) => row(way, batch, stretches))),
    ].join('\n'),
    [
      ...batches.map(
        (batch) => `- **Of the speed of a bare COPY, ${batch} a batch: ${ratio(stretches, batch)}** (goal: ${goal})`,
      ),
      '- A bare COPY neither recognises duplicates nor counts hours nor moves the offset.',
    ].join('\n'),
    depthTable(depths),
    lateTable(late),
    about.map(([name, value]) => `- ${name}: ${value}`).join('\n'),
  ]
    .filter((part) => part !== '')
    .join('\n\n')}\n`;
}

function depthTable(depths: readonly Depth[]): string {
  if (depths.length === 0) return '';
  const cpuOf = ({ serverMicros, clientMicros }: Omit<Stretch, 'way'>): number => serverMicros + clientMicros;
  return [
    '| stored before | events a second | CPU of PostgreSQL, µs an event | CPU of the writer, µs an event | CPU of both, beside a table of 100,000 (goal: 0.9 to 1.1) |',
    '|---:|---:|---:|---:|---:|',
    ...depths.map(({ stored, pairs }) => {
      const ratios = pairs.map(({ deep, small }) => cpuOf(deep) / cpuOf(small));
      const cells = [...spreads(pairs.map(({ deep }) => deep)), shownSpread(ratios, 2)];
      return `| ${[stored.toLocaleString('en'), ...cells].join(' | ')} |`;
    }),
  ].join('\n');
}

function lateTable(late: readonly Late[]): string {
  if (late.length === 0) return '';
  return [
    `| 5,000 late events in one batch, their days compressed | ms (goal: ${GOAL_LATE_MS.toLocaleString('en')}) |`,
    '|---|---:|',
    ...late.map(({ what, tookMs }) => `| ${what} | ${shownSpread(tookMs)} |`),
  ].join('\n');
}

function row(way: Way, batch: number, stretches: readonly Stretch[]): string {
  const mine = stretches.filter((stretch) => stretch.way === way && stretch.batch === batch);
  return `| ${[way, batch, ...spreads(mine)].join(' | ')} |`;
}

function spreads(stretches: readonly Omit<Stretch, 'way'>[]): string[] {
  return (['rowsPerSecond', 'serverMicros', 'clientMicros'] as const).map((figure) =>
    shownSpread(stretches.map((stretch) => stretch[figure])),
  );
}

/** Each stretch against the one that ran right before it. */
function ratio(stretches: readonly Stretch[], batch: number): string {
  const of = (way: Way) => stretches.filter((stretch) => stretch.way === way && stretch.batch === batch);
  const bare = of('bare COPY');
  return shownSpread(
    of('storeUsage').map(({ rowsPerSecond }, i) => rowsPerSecond / (bare[i]?.rowsPerSecond ?? 0)),
    2,
  );
}
