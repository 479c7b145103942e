import { spreadOf } from './statistics.js';

export interface Start {
  name: string;
  /** Of the wall time on a calm machine, where there is one. */
  goalMs: number | undefined;
  /** From the start to the end, or to the line that says "ready"; one for each round. */
  wallMs: number[];
  /** User and system, of the program and all that it started, until then. */
  cpuMs: number[];
}

/** The first of the starts is the one that does nothing: the others' CPU time is told as a multiple of it too. */
export function startsReport(starts: readonly Start[], about: readonly (readonly [string, string])[]): string {
  const nothing = spreadOf(starts[0]?.cpuMs ?? []).median;
  return `${[
    '# How long does a start take?',
    'Milliseconds: median of the rounds (least–most). Commands until they have ended, services and `npm start` until they say that they are ready, to 10 ms.',
    [
      '| start | goal | wall time | CPU time | CPU time of a Node.js that does nothing |',
      '|---|---:|---:|---:|---:|',
      ...starts.map((start) => row(start, nothing)),
    ].join('\n'),
    [
      '- `npm start`: npm itself, PostgreSQL, Envoy and all services, on a database that is there',
      ...about.map(([name, value]) => `- ${name}: ${value}`),
    ].join('\n'),
  ].join('\n\n')}\n`;
}

function row({ name, goalMs, wallMs, cpuMs }: Start, nothingMs: number): string {
  const goal = goalMs === undefined ? '' : `≤ ${goalMs.toLocaleString('en')}`;
  const times = (spreadOf(cpuMs).median / nothingMs).toFixed(1);
  return `| \`${name}\` | ${[goal, cell(wallMs), cell(cpuMs), `${times} ×`].join(' | ')} |`;
}

function cell(values: readonly number[]): string {
  const [median, min, max] = Object.values(spreadOf(values)).map((value: number) =>
    value.toLocaleString('en', { maximumFractionDigits: 0 }),
  );
  return `${median} (${min}–${max})`;
}
