/** What a PromQL expression asks for: its series, with the labels that it expects of them. Syntax is for promtool to judge. */

export interface Matcher {
  label: string;
  op: '=' | '!=' | '=~' | '!~';
  value: string;
}

export interface Selector {
  name: string;
  matchers: readonly Matcher[];
}

export interface Asked {
  selectors: readonly Selector[];
  /** Those that results are grouped or joined by. */
  grouping: readonly string[];
}

const GROUPING = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;
const SELECTOR = /([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?/g;
const MATCHER = /([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g;
const WORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);

export function askedBy(expression: string): Asked {
  const grouping = [...expression.matchAll(GROUPING)].flatMap(([, labels = '']) =>
    labels.split(',').map((label) => label.trim()),
  );
  // Durations and numbers hold letters too.
  const bare = expression.replace(GROUPING, ' ').replace(/\[[^\]]*\]/g, ' ');
  const selectors: Selector[] = [];
  for (const match of bare.matchAll(SELECTOR)) {
    const [whole, name = '', matchers = ''] = match;
    const before = bare[match.index - 1] ?? '';
    const isCall = bare.slice(match.index + whole.length).startsWith('(');
    if (isCall || WORDS.has(name) || /[\w.]/.test(before)) continue;
    selectors.push({ name, matchers: matchersOf(matchers) });
  }
  return { selectors, grouping: grouping.filter((label) => label !== '') };
}

function matchersOf(text: string): Matcher[] {
  return [...text.matchAll(MATCHER)].map(([, label = '', op, value = '']) => ({ label, op: op as Matcher['op'], value }));
}
