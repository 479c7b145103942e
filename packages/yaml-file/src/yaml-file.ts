/** YAML 1.2, hence JSON too, opened so that whatever is wrong with it is told with file and line. */
import { type Alias, type Document, isAlias, isNode, LineCounter, type Node, parseDocument, visit } from 'yaml';

export interface YamlProblem {
  line: number;
  what: string;
}

export interface YamlFile {
  /** The whole content; undefined where there is none, or where the text is no YAML (then there are problems). */
  root: Node | undefined;
  /** What a node stands for: an alias leads to what it names. Undefined for what is no node. */
  resolve(node: unknown): Node | undefined;
  /** `at` is an offset in the text, such as `startOf` gives. */
  report(at: number, what: string): void;
  /** Counted from 1. */
  lineOf(node: unknown): number;
  /** What was reported up to now, the mistakes in the YAML itself first of all. */
  problems: readonly YamlProblem[];
}

/** Parses a text. A field given twice in one map, a second document, an unknown tag and an alias for nothing are mistakes. */
export function openYamlFile(text: string): YamlFile {
  const lineCounter = new LineCounter();
  const problems: YamlProblem[] = [];
  const lineAt = (at: number): number => lineCounter.linePos(at).line;
  const report = (at: number, what: string): void => void problems.push({ line: lineAt(at), what });
  const { contents, targets } = parsed(text, lineCounter, report);

  const resolve: YamlFile['resolve'] = (node) => (isAlias(node) ? targets.get(node) : isNode(node) ? node : undefined);
  const root = problems.length === 0 ? resolve(contents) : undefined;
  return { root, resolve, report, lineOf: (node) => lineAt(startOf(node)), problems };
}

interface Parsed {
  contents: unknown;
  /** What each alias names. */
  targets: ReadonlyMap<Alias, Node>;
}

function parsed(text: string, lineCounter: LineCounter, report: YamlFile['report']): Parsed {
  try {
    const document = parseDocument(text, { lineCounter, uniqueKeys: true, prettyErrors: false });
    for (const { pos, message } of [...document.errors, ...document.warnings]) report(pos[0], sentence(message));
    return { contents: document.contents, targets: aliasTargets(document, report) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    report(0, 'the file is nested too deeply');
    return { contents: undefined, targets: new Map() };
  }
}

/** In one walk: the library's own look-up walks through the whole file for each alias. */
function aliasTargets(document: Document.Parsed, report: YamlFile['report']): Map<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Alias(_, alias) {
      const target = anchors.get(alias.source);
      if (target === undefined) report(startOf(alias), `*${alias.source} names nothing that stands before it`);
      else targets.set(alias, target);
    },
    Value(_, node) {
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return targets;
}

/** Sentences that begin with `file:line: `, in the order of the lines. */
export function problemLines(fileName: string, problems: readonly YamlProblem[]): string[] {
  return problems.toSorted((a, b) => a.line - b.line).map(({ line, what }) => `${fileName}:${line}: ${what}`);
}

/** Where a node begins; `otherwise` for one that has no place of its own, such as a value that was left out. */
export function startOf(node: unknown, otherwise = 0): number {
  return isNode(node) ? (node.range?.[0] ?? otherwise) : otherwise;
}

/** The library's messages may show the line's text, which may hold a password in a URL. */
function sentence(message: string): string {
  return (message.split('\n')[0] ?? message).replace(/:\/\/\S*/g, '://…');
}
