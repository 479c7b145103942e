/** From what was measured to a page that a person can read. */
import { shownSpread, spreadOf } from './statistics.js';

export const GOAL_MICROS = 40;

/** Entries that came at one pace, from the first byte on the stream to Kafka's acknowledgement of the last. */
export interface CollectorRound {
  pace: string;
  /** Of them a second, as acknowledged. */
  perSecond: number;
  /** CPU for each entry. */
  collectorMicros: number;
  kafkaMicros: number;
}

export function collectorReport(
  rounds: readonly CollectorRound[],
  about: readonly (readonly [name: string, value: string])[],
): string {
  const paces = [...new Set(rounds.map(({ pace }) => pace))];
  return `${[
    '# What does an access-log entry cost the collector?',
    'CPU time for each entry in microseconds, from the stream to the acknowledgement of Kafka: median of the rounds (least–most).',
    [
      '| entries come | collector | Kafka | acknowledged a second |',
      '|---|---:|---:|---:|',
      ...paces.map((pace) =>
        row(
          pace,
          rounds.filter((round) => round.pace === pace),
        ),
      ),
    ].join('\n'),
    [
      ...paces.map((pace) => `- **${pace}: ${micros(rounds.filter((round) => round.pace === pace))} µs** (goal: ${GOAL_MICROS})`),
      '- Each entry was acknowledged, and none took the way over the spool.',
    ].join('\n'),
    about.map(([name, value]) => `- ${name}: ${value}`).join('\n'),
  ].join('\n\n')}\n`;
}

function row(pace: string, rounds: readonly CollectorRound[]): string {
  const cells = [
    shownSpread(
      rounds.map(({ collectorMicros }) => collectorMicros),
      1,
    ),
    shownSpread(
      rounds.map(({ kafkaMicros }) => kafkaMicros),
      1,
    ),
    shownSpread(
      rounds.map(({ perSecond }) => perSecond),
      0,
    ),
  ];
  return `| ${[pace, ...cells].join(' | ')} |`;
}

function micros(rounds: readonly CollectorRound[]): string {
  return spreadOf(rounds.map(({ collectorMicros }) => collectorMicros)).median.toFixed(1);
}
