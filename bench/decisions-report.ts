import { sum } from './machine.js';
import { shownSpread } from './statistics.js';

/** One round of one question. */
export interface Answered {
  name: string;
  describe: string;
  requests: number;
  perSecond: number;
  /** Requests that no limiter decided in time, or that were limited: none in a good run. */
  undecided: number;
  limiterMicros: number;
  redisMicros: number;
}

export function decisionsReport(
  answered: readonly Answered[],
  inMemoryMicros: number,
  about: readonly (readonly [string, string])[],
): string {
  const names = [...new Set(answered.map(({ name }) => name))];
  const of = (name: string) => answered.filter((one) => one.name === name);
  return `${[
    '# What does a rate-limit decision cost?',
    'CPU time per request in microseconds: median of the rounds (least–most).',
    [
      '| who decides what | limiter | Redis | both | requests a second |',
      '|---|---:|---:|---:|---:|',
      ...names.map((name) => row(of(name))),
    ].join('\n'),
    [
      ...(of('theirs').length === 0 ? [] : ['bucket', 'window', 'two_limits'].map((name) => ratio(of(name), of('theirs')))),
      `- A decision in memory, without Envoy and gRPC: **${inMemoryMicros.toFixed(1)} µs** (goal: 5).`,
      `- Not decided in time, or limited: ${sum(answered.map(({ undecided }) => undecided))} of ${sum(answered.map(({ requests }) => requests))}.`,
    ].join('\n'),
    about.map(([name, value]) => `- ${name}: ${value}`).join('\n'),
  ].join('\n\n')}\n`;
}

function row(rounds: readonly Answered[]): string {
  const cells = [
    rounds.map(({ limiterMicros }) => limiterMicros),
    rounds.map(({ redisMicros }) => redisMicros),
    rounds.map(bothOf),
    rounds.map(({ perSecond }) => perSecond),
  ].map((values, i) => shownSpread(values, i === 3 ? 0 : 1));
  return `| ${[rounds[0]?.describe ?? '', ...cells].join(' | ')} |`;
}

/** Round by round, so that what disturbs the machine disturbs both. */
function ratio(ours: readonly Answered[], theirs: readonly Answered[]): string {
  const ratios = (part: (round: Answered) => number) => ours.map((round, i) => part(round) / part(theirs[i] ?? round));
  const limiters = shownSpread(
    ratios(({ limiterMicros }) => limiterMicros),
    2,
  );
  return `- **${ours[0]?.describe}: ${limiters} of envoyproxy/ratelimit's**, with Redis ${shownSpread(ratios(bothOf), 2)} (goal: 1.0)`;
}

function bothOf({ limiterMicros, redisMicros }: Answered): number {
  return limiterMicros + redisMicros;
}
