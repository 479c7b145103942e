/** From what was measured to a page that a person can read. */

export interface Freshness {
  /** Of each watched request: from its end to the first answer that counts it. */
  latenciesMs: readonly number[];
  /** How long the query itself took. */
  questionsMs: readonly number[];
  /** Organizations of which not all was ever counted. */
  unseen: number;
  sent: number;
}

const GOAL_SECONDS = 5;

export function freshnessReport(
  { latenciesMs, questionsMs, unseen, sent }: Freshness,
  about: readonly (readonly [name: string, value: string])[],
): string {
  if (latenciesMs.length === 0) throw new Error('no request was seen');
  const row = (name: string, values: readonly number[]) =>
    `| ${[name, values.length.toLocaleString('en'), ...[0.5, 0.99, 0.999, 1].map((share) => seconds(values, share))].join(' | ')} |`;
  return `${[
    '# How soon does `usage show` count a request?',
    'Seconds from the end of a request, which Envoy tells of up to 0.2 s later, to an answer that counts it.',
    [
      '| what | how often | P50 | P99 | P99.9 | longest |',
      '|---|---:|---:|---:|---:|---:|',
      row('from request to answer', latenciesMs),
      row('of that, the query', questionsMs),
    ].join('\n'),
    [
      `- **P99: ${seconds(latenciesMs, 0.99)} s** (goal: ${GOAL_SECONDS})`,
      `- ${sent.toLocaleString('en')} requests were sent; organizations of which not every request was counted at the end: ${unseen}`,
    ].join('\n'),
    about.map(([name, value]) => `- ${name}: ${value}`).join('\n'),
  ].join('\n\n')}\n`;
}

function seconds(values: readonly number[], share: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) / 1000).toFixed(2);
}
