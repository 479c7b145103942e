import { isNameOfThing, type Line, renameThings, stableLines } from './volatile.js';

/** A line of a page that stands for any lines. */
const LEFT_OUT = '…';

/**
 * What the pages tell, on one gateway. A page's ids and secrets stand for those that the commands really print: each is
 * learned where it is first seen, and has to mean the same from then on.
 */
export interface Story {
  /** A command or a statement as it is really to be run. Throws on a name that nothing has printed yet. */
  real(text: string): string;
  /** Undefined where the output is what the page shows, else the difference. Learns the names in it. */
  compare(shown: string, printed: string): Difference | undefined;
  learn(page: string, real: string): void;
}

export interface Difference {
  shown: string;
  printed: string;
}

export function newStory(): Story {
  const known = new Map<string, string>();
  const learn = (page: string, real: string): void => {
    known.set(page, real);
    // The first twelve characters of a secret are its prefix, which other commands show.
    if (page.startsWith('sk_')) known.set(page.slice(0, 12), real.slice(0, 12));
  };
  return {
    learn,
    real: (text) =>
      renameThings(text, (page) => {
        const real = known.get(page);
        if (real === undefined) throw new Error(`no command of the pages has printed what ${page} stands for`);
        return real;
      }),
    compare(shown, printed) {
      const [wanted, got] = [stableLines(shown), stableLines(printed)];
      const learned = new Map<string, string>();
      const isSame = matches(wanted, got, (page, real) => {
        const before = known.get(page) ?? learned.get(page);
        if (before !== undefined) return before === real;
        learned.set(page, real);
        return true;
      });
      if (!isSame) return { shown: textOf(wanted), printed: textOf(got) };
      for (const [page, real] of learned) learn(page, real);
      return undefined;
    },
  };
}

type Means = (page: string, real: string) => boolean;

function matches(shown: readonly Line[], printed: readonly Line[], means: Means): boolean {
  const [first, ...rest] = shown;
  if (first === undefined) return printed.length === 0;
  if (first.text === LEFT_OUT) return printed.some((_, index) => matches(rest, printed.slice(index), means)) || rest.length === 0;
  const [line, ...others] = printed;
  return line !== undefined && sameLine(first, line, means) && matches(rest, others, means);
}

function sameLine(shown: Line, printed: Line, means: Means): boolean {
  if (shown.text !== printed.text) return false;
  return shown.volatile.every((found, index) => !isNameOfThing(found) || means(found.text, printed.volatile[index]?.text ?? ''));
}

function textOf(lines: readonly Line[]): string {
  return lines.map(({ text }) => text).join('\n');
}
