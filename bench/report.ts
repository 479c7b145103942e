/** From rounds to a page that a person can read. */
import { sum } from './machine.js';
import type { Round } from './rounds.js';
import { shownSpread } from './statistics.js';
import type { Part } from './world.js';

/** The parts that a request waits for or that Envoy tells of it; the rest stores usage, at its own pace. */
export const ON_THE_WAY: readonly Part[] = ['Envoy', 'authz', 'ratelimit', 'Redis', 'collector'];
export const STORING: readonly Part[] = ['writer', 'PostgreSQL'];

export interface Facts {
  question: string;
  /** Name and value, in the order in which they are told. */
  about: readonly (readonly [string, string])[];
}

/** The page: CPU per request of each process, the ratios, and where and how it was measured. `rounds` in the order they ran. */
export function reportOf({ question, about }: Facts, rounds: readonly Round[]): string {
  const [gateway, paced, alone] = (['gateway', 'alone-paced', 'alone'] as const).map((variant) =>
    rounds.filter((round) => round.variant === variant),
  ) as [Round[], Round[], Round[]];
  const row = (name: string, parts: readonly Part[]): string => {
    const envoyAlone = parts.includes('Envoy') ? [costsOf(alone, ['Envoy']), costsOf(paced, ['Envoy'])] : [[], []];
    return `| ${[name, ...[...envoyAlone, costsOf(gateway, parts)].map(cell)].join(' | ')} |`;
  };
  const everything = [...ON_THE_WAY, ...STORING];
  return `${[
    `# ${question}`,
    'CPU time per request in microseconds: median of the rounds (least–most).',
    [
      "| process | Envoy alone, full speed | Envoy alone, at the gateway's rate | gateway, full speed |",
      '|---|---:|---:|---:|',
      ...ON_THE_WAY.map((part) => row(part, [part])),
      row('**all of these**', ON_THE_WAY),
      ...STORING.map((part) => row(part, [part])),
      row('all, with storage', everything),
      `| requests a second | ${[alone, paced, gateway].map((side) => cell(side.map(({ load }) => load.perSecond))).join(' | ')} |`,
      `| p50 / p99 of the fastest round | ${[alone, paced, gateway].map(latency).join(' | ')} |`,
    ].join('\n'),
    [
      `- **Ratio at full speed: ${ratio(alone, gateway, ON_THE_WAY)}**, with storage ${ratio(alone, gateway, everything)}`,
      `- **Ratio at the same rate: ${ratio(paced, gateway, ON_THE_WAY)}**, with storage ${ratio(paced, gateway, everything)}`,
      '- Storage (writer, PostgreSQL) follows at its own pace. At full speed an Envoy finds more to do each time it wakes, so that a request costs it less.',
      `- Every answer was 200, and each request has its row of usage. Not limited, as ratelimit was not in time: ${sum(gateway.map(({ unlimited }) => unlimited))} of ${sum(gateway.map(({ requests }) => requests))}.`,
    ].join('\n'),
    about.map(([name, value]) => `- ${name}: ${value}`).join('\n'),
    disturbed(rounds),
  ]
    .filter((part) => part !== '')
    .join('\n\n')}\n`;
}

function costsOf(rounds: readonly Round[], parts: readonly Part[]): number[] {
  return rounds.map(({ costs }) => sum(parts.map((part) => costs[part] ?? 0)));
}

function ratio(alone: readonly Round[], gateway: readonly Round[], parts: readonly Part[]): string {
  const below = costsOf(alone, ['Envoy']);
  return shownSpread(
    costsOf(gateway, parts).map((cost, i) => cost / (below[i] ?? Number.NaN)),
    2,
  );
}

function latency(rounds: readonly Round[]): string {
  const best = rounds.toSorted((a, b) => b.load.perSecond - a.load.perSecond)[0];
  return best === undefined ? '' : `${best.load.p50} / ${best.load.p99}`;
}

function cell(values: readonly number[]): string {
  return values.length === 0 ? '' : shownSpread(values);
}

function disturbed(rounds: readonly Round[]): string {
  const found = rounds.filter(({ disturbances }) => disturbances.length > 0);
  if (found.length === 0) return '';
  const lines = found.map(({ variant, disturbances }) => `- ${variant}: ${disturbances.join(', ')}`);
  return `**The machine was not calm**: ${found.length} of ${rounds.length} rounds were disturbed, however often they were repeated; the least disturbed count.\n\n${lines.join('\n')}`;
}
