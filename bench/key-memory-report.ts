/** From what was measured to a page that a person can read; docs/keys.md tells these figures. */

export interface KeyMemory {
  keys: number;
  /** In use for each key: the entry, the record and the encoded answer. */
  heapBytes: number;
  /** What the process has grown by. */
  residentBytes: number;
  /** Of the encoded answer itself. */
  answerBytes: number;
}

export const GOAL_BYTES = 1024;

export function keyMemoryReport(
  measured: readonly KeyMemory[],
  of: { scopes: number; organizations: number },
  about: readonly (readonly [name: string, value: string])[],
): string {
  const rows = measured.map(
    ({ keys, heapBytes, residentBytes, answerBytes }) =>
      `| ${keys.toLocaleString('en')} | ${heapBytes.toFixed(0)} | ${residentBytes.toFixed(0)} | ${answerBytes} |`,
  );
  return `${[
    '# What does a cached key take?',
    ['| keys | bytes a key | resident bytes a key | of these the answer |', '|---:|---:|---:|---:|', ...rows].join('\n'),
    [
      `- bytes a key: entry, record and encoded answer, after a collection of garbage; the goal is at most ${GOAL_BYTES.toLocaleString('en')}`,
      '- resident: what the process has grown by meanwhile',
      `- the keys: of ${of.organizations} organizations, ${of.scopes} scopes each, asked for in X-API-Key; every one was found again`,
      ...about.map(([name, value]) => `- ${name}: ${value}`),
    ].join('\n'),
  ].join('\n\n')}\n`;
}
