import ts from 'typescript';

/** A file of the project, or one made up by a test. The path is relative to the project's folder, with `/`. */
export interface SourceFile {
  path: string;
  text: string;
}

export interface Violation {
  path: string;
  /** Counted from 1. */
  line: number;
  what: string;
}

export interface Import {
  specifier: string;
  line: number;
  isTypeOnly: boolean;
  /** What is taken by name as a value, under the name that it was exported by. */
  names: string[];
}

const trees = new WeakMap<SourceFile, ts.SourceFile>();

/** The syntax of a file, parsed once. */
export function syntaxOf(file: SourceFile): ts.SourceFile {
  const known = trees.get(file);
  if (known !== undefined) return known;
  const tree = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.ES2022, true);
  trees.set(file, tree);
  return tree;
}

/** Every node of a file, parents before children. */
export function* nodesOf(file: SourceFile): Generator<ts.Node> {
  const waiting: ts.Node[] = [syntaxOf(file)];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    yield node;
    waiting.push(...node.getChildren(syntaxOf(file)).toReversed());
  }
}

export function lineOf(node: ts.Node): number {
  const tree = node.getSourceFile();
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

const imports = new WeakMap<SourceFile, Import[]>();

/** All that a file imports: statements, re-exports, `import()`, `import('…').Type` and `require()`. */
export function importsOf(file: SourceFile): Import[] {
  const known = imports.get(file);
  if (known !== undefined) return known;
  const found = [...nodesOf(file)].flatMap((node) => importAt(node) ?? []);
  imports.set(file, found);
  return found;
}

function importAt(node: ts.Node): Import | undefined {
  const text = specifierAt(node);
  if (text === undefined || !ts.isStringLiteralLike(text)) return undefined;
  return { specifier: text.text, line: lineOf(node), ...namesAt(node) };
}

function specifierAt(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isExternalModuleReference(node)) return node.expression;
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined;
  if (!ts.isCallExpression(node)) return undefined;
  const { expression } = node;
  const isImport =
    expression.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(expression) && expression.text === 'require');
  return isImport ? node.arguments[0] : undefined;
}

function namesAt(node: ts.Node): { isTypeOnly: boolean; names: string[] } {
  if (ts.isImportTypeNode(node)) return { isTypeOnly: true, names: [] };
  if (ts.isExportDeclaration(node)) return { isTypeOnly: node.isTypeOnly, ...valuesOf(node.exportClause) };
  if (!ts.isImportDeclaration(node) || node.importClause === undefined) return { isTypeOnly: false, names: [] };
  const { importClause } = node;
  const { names } = valuesOf(importClause.namedBindings);
  const isNamed = importClause.namedBindings !== undefined && ts.isNamedImports(importClause.namedBindings);
  const isTypeOnly = importClause.isTypeOnly || (isNamed && importClause.name === undefined && names.length === 0);
  return { isTypeOnly, names };
}

function valuesOf(bindings: ts.Node | undefined): { names: string[] } {
  if (bindings === undefined || !(ts.isNamedImports(bindings) || ts.isNamedExports(bindings))) return { names: [] };
  const values = bindings.elements.filter((element) => !element.isTypeOnly);
  return { names: values.map((element) => (element.propertyName ?? element.name).text) };
}
