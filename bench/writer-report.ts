import { shownSpread, spreadOf } from './statistics.js';

/** From what was measured to a page that a person can read. */

export const GOAL_PER_SECOND = 20_000;
export const GOAL_OF_COPY = 0.35;

/** A bare COPY of so many events, and the writer's storing of as many right after it. */
export interface WriterRound {
  copy: { perSecond: number; postgresMicros: number };
  writer: { perSecond: number; writerMicros: number; postgresMicros: number; kafkaMicros: number };
}

export function writerReport(rounds: readonly WriterRound[], about: readonly (readonly [name: string, value: string])[]): string {
  const ratio = spreadOf(rounds.map(({ copy, writer }) => writer.perSecond / copy.perSecond));
  const perSecond = spreadOf(rounds.map(({ writer }) => writer.perSecond));
  return `${[
    '# How fast does usage come from Kafka into the table?',
    [
      '| way | events a second | CPU of the writer, µs an event | CPU of PostgreSQL | CPU of Kafka |',
      '|---|---:|---:|---:|---:|',
      `| ${['bare COPY', shownSpread(rounds.map(({ copy }) => copy.perSecond)), '', shownSpread(rounds.map(({ copy }) => copy.postgresMicros)), ''].join(' | ')} |`,
      `| ${['Kafka → rows', ...(['perSecond', 'writerMicros', 'postgresMicros', 'kafkaMicros'] as const).map((name) => shownSpread(rounds.map(({ writer }) => writer[name])))].join(' | ')} |`,
    ].join('\n'),
    [
      `- **${perSecond.median.toFixed(0)} events a second** (goal: ${GOAL_PER_SECOND.toLocaleString('en')})`,
      `- **Of the speed of a bare COPY: ${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})** (goal: ${GOAL_OF_COPY})`,
      '- A bare COPY neither reads Kafka, nor judges events, recognises duplicates, counts hours or moves the offset.',
      '- Each event was stored once. Measured from the first stored batch to the last.',
    ].join('\n'),
    about.map(([name, value]) => `- ${name}: ${value}`).join('\n'),
  ].join('\n\n')}\n`;
}
