/** What differs from run to run. Longer before shorter: a secret begins with its prefix, a moment with its day. */
const VOLATILE = {
  secret: /\bsk_(?:live|test)_[a-z0-9]{32}\b/,
  prefix: /\bsk_(?:live|test)_[a-z0-9]{4}\b/,
  id: /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/,
  moment: /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/,
  day: /\b\d{4}-\d\d-\d\d\b/,
  'unix second': /\b1[7-9]\d{8}\b/,
  'http date': /(?<=^date: ).+ GMT/m,
  milliseconds: /(?<=^x-envoy-upstream-service-time: )\d+/m,
  seconds: /(?<=Retry-After: |retry-after: |fits in )\d+/,
} as const;

type Name = keyof typeof VOLATILE;

/** What a page calls by a name of its own: the same name is the same thing wherever the page says it. */
const NAMES_OF_THINGS: ReadonlySet<Name> = new Set(['secret', 'prefix', 'id']);

/** Columns of tables that no two machines fill alike. */
const MEASURED_COLUMNS = new Set(['AVG MS', 'MAX MS', 'BYTES IN', 'BYTES OUT']);

const ANY = new RegExp(
  Object.entries(VOLATILE)
    .map(([name, { source }]) => `(?<${name.replace(' ', '_')}>${source})`)
    .join('|'),
  'gm',
);

export interface Volatile {
  name: Name;
  text: string;
}

export interface Line {
  /** With names in the place of what is volatile, and one blank for several. */
  text: string;
  volatile: Volatile[];
}

/** Lines without what differs from run to run. Columns are as wide as their widest cell, so blanks count as one. */
export function stableLines(text: string): Line[] {
  const lines = withoutMeasured(text.replaceAll('\r', '').trimEnd().split('\n'));
  return lines.map((line) => {
    const volatile: Volatile[] = [];
    const stable = replaceVolatile(line, (found) => {
      volatile.push(found);
      return `<${found.name}>`;
    });
    return { text: stable.replace(/\s+/g, ' ').trim(), volatile };
  });
}

/** The text with every name of a thing replaced. */
export function renameThings(text: string, rename: (page: string) => string): string {
  return replaceVolatile(text, (found) => (NAMES_OF_THINGS.has(found.name) ? rename(found.text) : found.text));
}

export function isNameOfThing({ name }: Volatile): boolean {
  return NAMES_OF_THINGS.has(name);
}

function replaceVolatile(text: string, replacement: (found: Volatile) => string): string {
  return text.replace(ANY, (...match: unknown[]) => {
    const groups = match.at(-1) as Record<string, string | undefined>;
    const name = Object.keys(groups).find((key) => groups[key] !== undefined) ?? '';
    return replacement({ name: name.replace('_', ' ') as Name, text: String(match[0]) });
  });
}

function withoutMeasured(lines: string[]): string[] {
  let columns: string[] = [];
  return lines.map((line) => {
    const cells = line.trim().split(/ {2,}/);
    if (cells.some((cell) => MEASURED_COLUMNS.has(cell))) columns = cells;
    else if (cells.length !== columns.length) columns = [];
    else return cells.map((cell, index) => (MEASURED_COLUMNS.has(columns[index] ?? '') ? '<measured>' : cell)).join('  ');
    return line;
  });
}
