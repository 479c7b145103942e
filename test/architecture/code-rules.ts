import ts from 'typescript';
import { isGenerated, isProduct, isTypeScript, type Rule } from './rule.js';
import { importsOf, lineOf, nodesOf, type SourceFile, type Violation } from './source-file.js';

const FILE_WALL = 300;
const FUNCTION_WALL = 60;
const SETTING = /^[A-Z][A-Z0-9]+(_[A-Z0-9]+)+$/;
/** service-kit declares the few that are common to all services; each config.ts lists them by taking them from there. */
const KNOWS_SETTINGS = /\/config\.ts$|^packages\/service-kit\/src\//;
const VAGUE = /(^|\/)(utils?|common|helpers?|shared|misc)(\/|\.ts$)/;

export const CODE_RULES: readonly Rule[] = [
  {
    rule: 'R5 process',
    reason:
      'only main.ts touches process: what it holds (environment, signals, exit) is handed in, so that one process can run several services',
    check: eachNode(isProduct, (node, file) => (file.path.endsWith('/main.ts') ? undefined : processAt(node))),
  },
  {
    rule: 'R5 process import',
    reason:
      'node:process is process by another name; only packages may take from it pid and kill, for processes that they start and for locks, and nextTick, which holds nothing',
    check: (files) =>
      files
        .filter((file) => isTypeScript(file) && isProduct(file.path) && !file.path.endsWith('/main.ts'))
        .flatMap(processImports),
  },
  {
    rule: 'R5 settings',
    reason: 'only config.ts knows names of settings, so that one file lists all that an operator can set',
    check: eachNode(isProduct, (node, file) => (KNOWS_SETTINGS.test(file.path) ? undefined : settingAt(node))),
  },
  {
    rule: 'R7 default export',
    reason: 'a thing has one name everywhere: no default exports',
    check: eachNode(isOurs, (node, file) => (file.path.endsWith('.config.ts') ? undefined : defaultExportAt(node))),
  },
  {
    rule: 'R7 any',
    reason: '`any` switches the compiler off for all that it touches: use `unknown` and narrow it',
    check: eachNode(isOurs, (node) => (node.kind === ts.SyntaxKind.AnyKeyword ? '`any`' : undefined)),
  },
  {
    rule: 'R7 enum',
    reason: 'unions of words are types that JSON and logs can show; no enums and no namespaces',
    check: eachNode(isOurs, (node) =>
      ts.isEnumDeclaration(node) || ts.isModuleDeclaration(node) ? 'an enum or a namespace' : undefined,
    ),
  },
  {
    rule: 'R7 names',
    reason: 'a name says what a thing is: no I… interfaces',
    check: eachNode(isOurs, (node) =>
      ts.isInterfaceDeclaration(node) && /^I[A-Z][a-z]/.test(node.name.text) ? `interface ${node.name.text}` : undefined,
    ),
  },
  {
    rule: 'R7 barrel',
    reason: 'a file is imported by its own path, so that an import tells where a thing stands: no index.ts',
    check: eachFile(isOurs, ({ path }) => (/(^|\/)index\.ts$/.test(path) ? 'a barrel file' : undefined)),
  },
  {
    rule: 'R7 vague',
    reason: 'a file is named after its one idea; what has no name of its own belongs beside its use',
    check: eachFile(isOwnProduct, ({ path }) => (VAGUE.test(path) ? 'a name that says nothing' : undefined)),
  },
  {
    rule: 'R7 file length',
    reason: `one idea a file: about 80 lines are comfortable, ${FILE_WALL} are the wall`,
    check: eachFile(isOwnProduct, ({ text }) => {
      const lines = text.split('\n').length - 1;
      return lines > FILE_WALL ? `${lines} lines` : undefined;
    }),
  },
  {
    rule: 'R7 function length',
    reason: `a function does one thing: about 12 lines are comfortable, ${FUNCTION_WALL} are the wall`,
    check: eachNode(isOwnProduct, tooLongFunctionAt),
  },
];

function isOurs(path: string): boolean {
  return !isGenerated(path);
}

function isOwnProduct(path: string): boolean {
  return isOurs(path) && isProduct(path);
}

function eachFile(holdsFor: (path: string) => boolean, judge: (file: SourceFile) => string | undefined): Rule['check'] {
  return (files) =>
    files
      .filter((file) => isTypeScript(file) && holdsFor(file.path))
      .flatMap((file) => {
        const what = judge(file);
        return what === undefined ? [] : [{ path: file.path, line: 1, what }];
      });
}

function eachNode(
  holdsFor: (path: string) => boolean,
  judge: (node: ts.Node, file: SourceFile) => string | undefined,
): Rule['check'] {
  return (files) =>
    files
      .filter((file) => isTypeScript(file) && holdsFor(file.path))
      .flatMap((file) =>
        [...nodesOf(file)].flatMap((node) => {
          const what = judge(node, file);
          return what === undefined ? [] : [{ path: file.path, line: lineOf(node), what }];
        }),
      );
}

function processAt(node: ts.Node): string | undefined {
  if (!ts.isIdentifier(node) || node.text !== 'process') return undefined;
  const { parent } = node;
  const isOfGlobal = ts.isPropertyAccessExpression(parent) && parent.expression.getText() === 'globalThis';
  if (isOfGlobal) return 'globalThis.process';
  const isUse =
    ts.isExpression(parent) || ts.isVariableDeclaration(parent) || ts.isReturnStatement(parent) || ts.isSpreadAssignment(parent);
  const isName = (ts.isPropertyAccessExpression(parent) && parent.name === node) || ('name' in parent && parent.name === node);
  return isUse && !isName && !isDeclaredAround(node, 'process') ? parent.getText().split('\n', 1)[0] : undefined;
}

/** Whether a parameter or a variable of an enclosing scope has this name: then it is not the global one. */
function isDeclaredAround(node: ts.Node, name: string): boolean {
  for (let scope: ts.Node | undefined = node.parent; scope !== undefined; scope = scope.parent) {
    const declares = (binding: ts.Node) =>
      binding.getText() === name || (ts.isObjectBindingPattern(binding) && hasElement(binding, name));
    if (ts.isFunctionLike(scope) && scope.parameters.some((parameter) => declares(parameter.name))) return true;
    if (!ts.isBlock(scope) && !ts.isSourceFile(scope)) continue;
    const variables = scope.statements
      .filter(ts.isVariableStatement)
      .flatMap((statement) => statement.declarationList.declarations);
    if (variables.some((variable) => declares(variable.name))) return true;
  }
  return false;
}

function hasElement(pattern: ts.ObjectBindingPattern, name: string): boolean {
  return pattern.elements.some((element) => element.name.getText() === name);
}

function processImports(file: SourceFile): Violation[] {
  return importsOf(file)
    .filter(({ specifier }) => /^(node:)?process$/.test(specifier))
    .filter(
      ({ names }) =>
        !file.path.startsWith('packages/') || names.length === 0 || names.some((name) => !/^(pid|kill|nextTick)$/.test(name)),
    )
    .map(({ line }) => ({ path: file.path, line, what: 'node:process' }));
}

/** A setting's name where a setting is declared (`field('A_NAME'…`) or read (`env.A_NAME`, `env['A_NAME']`). */
function settingAt(node: ts.Node): string | undefined {
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && /^(secretF|f)ield$/.test(node.expression.text))
    return `${node.expression.text}(${node.arguments[0]?.getText() ?? ''})`;
  const name = accessedName(node);
  if (name === undefined || !SETTING.test(name.name)) return undefined;
  return /(^|\.)env(ironment)?$/i.test(name.of) ? `${name.of} ${name.name}` : undefined;
}

function accessedName(node: ts.Node): { of: string; name: string } | undefined {
  if (ts.isPropertyAccessExpression(node)) return { of: node.expression.getText(), name: node.name.text };
  if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression))
    return { of: node.expression.getText(), name: node.argumentExpression.text };
  return undefined;
}

function defaultExportAt(node: ts.Node): string | undefined {
  if (ts.isExportSpecifier(node) && node.name.text === 'default') return 'a default export';
  return node.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(node.parent) ? 'a default export' : undefined;
}

function tooLongFunctionAt(node: ts.Node): string | undefined {
  if (!ts.isFunctionLike(node)) return undefined;
  const lines = linesOf(node) - innerFunctions(node).reduce((sum, inner) => sum + linesOf(inner), 0);
  return lines > FUNCTION_WALL ? `a function of ${lines} lines without those inside it` : undefined;
}

/** The outermost functions inside: each counts for itself, since a function of closures stands where others have a class. */
function innerFunctions(node: ts.Node): ts.Node[] {
  const found: ts.Node[] = [];
  ts.forEachChild(node, (child) => {
    found.push(...(ts.isFunctionLike(child) ? [child] : innerFunctions(child)));
  });
  return found;
}

function linesOf(node: ts.Node): number {
  const tree = node.getSourceFile();
  return tree.getLineAndCharacterOfPosition(node.getEnd()).line + 2 - lineOf(node);
}
