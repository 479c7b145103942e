/** One question of bench/results.md, with its answer. */
export interface Section {
  text: string;
  /** `date`, `commit`, `machine`, `command`. */
  facts: Readonly<Record<string, string>>;
}

/** Throws where the page does not ask it: a bench was renamed, and what is made of it must follow. */
export function section(results: string, title: string): Section {
  const text = results.split(`# ${title}\n`)[1]?.split(/^# /m)[0];
  if (text === undefined) throw new Error(`bench/results.md does not ask "${title}"`);
  return { text, facts: Object.fromEntries([...text.matchAll(/^- (\w+): (.+)$/gm)].map(([, name, fact]) => [name, fact])) };
}

/** The cells of its first table, without the head. Throws where there is none. */
export function bodyRows({ text }: Section): string[][] {
  const table = /(?:^\|.*\|\n)+/m.exec(text)?.[0];
  if (table === undefined) throw new Error('there is no table');
  const [, , ...rows] = table.trimEnd().split('\n');
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
