import { placeOf, targetOf } from './place.js';
import { isGenerated, isTypeScript, type Rule } from './rule.js';
import { importsOf, type SourceFile, type Violation } from './source-file.js';

/** From a node to those that it imports; the value is the line of the first such import. */
type Graph = Map<string, { path: string; edges: Map<string, { path: string; line: number }> }>;

export const GRAPH_RULES: readonly Rule[] = [
  {
    rule: 'R7 file cycle',
    reason: 'files that import each other can only be understood together: move what both need into a third',
    check: (files) => cycles(graph(files.filter(isOwnSource), (path) => path)),
  },
  {
    rule: 'R7 package cycle',
    reason: 'packages that need each other are one package: let one of them name its need as a function type',
    check: (files) => cycles(graph(files.filter(isOwnSource), (path) => placeOf(path).room)),
  },
  {
    rule: 'R7 dependencies',
    reason: 'what a workspace imports stands in its own package.json: another one may stop installing it by accident',
    check: undeclared,
  },
];

function isOwnSource(file: SourceFile): boolean {
  return isTypeScript(file) && placeOf(file.path).isSource && !isGenerated(file.path);
}

function graph(files: readonly SourceFile[], nodeOf: (path: string) => string): Graph {
  const found: Graph = new Map();
  for (const file of files) {
    const from = nodeOf(file.path);
    const node = found.get(from) ?? { path: file.path, edges: new Map() };
    found.set(from, node);
    for (const { specifier, line } of importsOf(file)) {
      const target = targetOf(specifier, file.path);
      if (target.kind !== 'ours') continue;
      const to = nodeOf(target.path);
      const isWithinRoom = from === to && to !== target.path;
      if (!isWithinRoom && !node.edges.has(to)) node.edges.set(to, { path: file.path, line });
    }
  }
  return found;
}

/** Each edge that closes a cycle, once. */
function cycles(found: Graph): Violation[] {
  const violations: Violation[] = [];
  const finished = new Set<string>();
  const visit = (name: string, way: readonly string[]) => {
    for (const [to, site] of found.get(name)?.edges ?? []) {
      const start = [...way, name].indexOf(to);
      if (start >= 0) violations.push({ ...site, what: [...way.slice(start), name, to].join(' → ') });
      else if (!finished.has(to)) visit(to, [...way, name]);
    }
    finished.add(name);
  };
  for (const name of found.keys()) if (!finished.has(name)) visit(name, []);
  return violations;
}

function undeclared(files: readonly SourceFile[]): Violation[] {
  const manifests = new Map(files.filter(({ path }) => path.endsWith('package.json')).map((file) => [file.path, file]));
  return files
    .filter((file) => isTypeScript(file) && placeOf(file.path).isSource)
    .flatMap((file) => {
      const { room } = placeOf(file.path);
      const declared = dependenciesOf(manifests.get(`${room}/package.json`));
      // The kit for tests is never shipped: what the project itself has for its tests is there.
      const forTests = room === 'packages/testing' ? dependenciesOf(manifests.get('package.json')) : new Set();
      return importsOf(file).flatMap(({ specifier, line }) => {
        const name = packageOf(specifier, file.path);
        if (name === undefined || declared.has(name) || forTests.has(name)) return [];
        return [{ path: file.path, line, what: `${name} is not in ${room}/package.json` }];
      });
    });
}

function packageOf(specifier: string, fromPath: string): string | undefined {
  if (specifier.startsWith('@tollgate/')) return specifier.split('/', 2).join('/');
  const target = targetOf(specifier, fromPath);
  return target.kind === 'npm' ? target.name : undefined;
}

function dependenciesOf(manifest: SourceFile | undefined): Set<string> {
  if (manifest === undefined) return new Set();
  const { name, dependencies, devDependencies } = JSON.parse(manifest.text) as Manifest;
  return new Set([
    name,
    ...Object.keys(dependencies ?? {}),
    ...(manifest.path === 'package.json' ? Object.keys(devDependencies ?? {}) : []),
  ]);
}

interface Manifest {
  name: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}
