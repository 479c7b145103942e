import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { PROJECT, projectPaths, readProjectFile } from './architecture/project-files.js';
import { lineOf, nodesOf } from './architecture/source-file.js';

interface Text {
  path: string;
  text: string;
}

/** One row: what no file may hold. `offences` are the texts found, `example` is one that must be found. */
interface Ban {
  title: string;
  reason: string;
  covers: (path: string) => boolean;
  offence: RegExp;
  example: string;
}

const texts: Text[] = projectPaths()
  .map(readProjectFile)
  .filter(({ text }) => !text.includes('\0'));
const pages = texts.filter(({ path }) => path.endsWith('.md'));

const BANS: readonly Ban[] = [
  {
    title: 'no file names a folder of one machine',
    reason: 'it does not exist anywhere else',
    covers: () => true,
    offence: /(?<![\w.}~-])\/(?:work|root|Users|home\/[a-z]\w*)\/[\w.]+/,
    example: ['', 'work', 'main', 'packages'].join('/'),
  },
  {
    title: 'no file names a host that packages came from',
    reason: 'where packages come from is the business of each machine',
    covers: () => true,
    offence:
      /https?:\/\/[^\s/"']*(?:registry|artifactory|nexus|mirror|pypi|npmjs|yarnpkg)[^\s/"']*\/|_auth(?:Token)|--(?:index-url|registry)[= ]/,
    example: ['https:', '', 'registry.example.org', 'left-pad'].join('/'),
  },
  {
    title: 'no test waits for time to pass',
    reason: 'it is slow on a fast machine and fails on a slow one: wait for the condition, with a deadline',
    covers: (path) => path.endsWith('.test.ts'),
    offence: /\bsleep\(/,
    example: ['await sleep', '100)'].join('('),
  },
];

describe.each(BANS)('$title', ({ reason, covers, offence, example }) => {
  test('anywhere', () => {
    const found = texts.filter(({ path }) => covers(path)).flatMap((file) => linesWith(offence, file));
    if (found.length > 0) expect.fail(`${reason}:\n${found.join('\n')}`);
  });

  test('would be found', () => {
    expect(linesWith(offence, { path: 'a.test.ts', text: `\n${example}` })).toHaveLength(1);
  });
});

function linesWith(offence: RegExp, { path, text }: Text): string[] {
  return text
    .split('\n')
    .flatMap((line, index) => (offence.test(line) ? [`${path}:${index + 1} ${line.trim().slice(0, 160)}`] : []));
}

const LEFT_OUT = /^(only|skip|skipIf|runIf|todo|fails)$/;

/** Where a test is switched off or set apart: `test.skip`, `context.skip()`, `test('…', { todo: true }, …)`. */
function leftOut(file: Text): string[] {
  return [...nodesOf(file)].filter(isLeftOut).map((node) => `${file.path}:${lineOf(node)} ${node.getText().split('\n', 1)[0]}`);
}

function isLeftOut(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return LEFT_OUT.test(node.name.text) && isOfTest(node.expression);
  if (!ts.isPropertyAssignment(node) || !LEFT_OUT.test(node.name.getText())) return false;
  const call = node.parent.parent;
  return ts.isCallExpression(call) && isOfTest(call.expression);
}

function isOfTest(expression: ts.Expression): boolean {
  return /^(test|it|describe|suite|context|ctx|task)\b/.test(expression.getText());
}

test('no test is left out or set apart: a promise that is not tested is not kept', () => {
  expect(texts.filter(({ path }) => path.endsWith('.test.ts')).flatMap(leftOut)).toEqual([]);
  const offences = ['test.only()', 'describe.each([]).skip()', 'ctx.skip()', "test('a', { skip: true }, f)", 'test.skipIf(x)()'];
  expect(leftOut({ path: 'a.test.ts', text: offences.join('\n') }).map((found) => found.split(' ')[0])).toEqual(
    offences.map((_, i) => `a.test.ts:${i + 1}`),
  );
  expect(leftOut({ path: 'a.test.ts', text: "test('a', () => limits.skip('test.only()', { only: 1 }))" })).toEqual([]);
});

test('the lockfile holds no address: packages come from the registry that is set up', () => {
  const { packages } = JSON.parse(readProjectFile('package-lock.json').text) as {
    packages: Record<string, { resolved?: string; link?: boolean }>;
  };
  expect(Object.keys(packages).length).toBeGreaterThan(1);
  const addresses = Object.entries(packages).filter(([, { resolved, link }]) => resolved !== undefined && link !== true);
  expect(addresses.map(([name, { resolved }]) => `${name}: ${resolved}`)).toEqual([]);
});

/** The page without what it quotes: code blocks, and code in the line. */
function proseOf(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
}

function brokenLinks({ path, text }: Text): string[] {
  const targets = [...proseOf(text).matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)/g)].map((match) => match[1] ?? '');
  return targets
    .filter((target) => !/^([a-z]+:|#)/i.test(target))
    .map((target) => decodeURIComponent(target.replace(/#.*$/, '')))
    .filter((target) => !existsSync(join(PROJECT, target.startsWith('/') ? '' : dirname(path), target)))
    .map((target) => `${path}: ${target}`);
}

test('every link of a page leads to a file', () => {
  expect(pages.flatMap(brokenLinks)).toEqual([]);
  expect(brokenLinks({ path: 'README.md', text: '[a](LICENSE) [b](#c) [c](https://example.org) [d](gone.md#e)' })).toEqual([
    'README.md: gone.md',
  ]);
});

const { scripts } = JSON.parse(readProjectFile('package.json').text) as { scripts: Record<string, string> };

function unknownScripts({ path, text }: Text): string[] {
  const named = [...text.matchAll(/\bnpm (?:run (?:-\S+ )*([a-z][\w:-]*)|(start|test)\b)/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  );
  return named.filter((name) => scripts[name] === undefined).map((name) => `${path}: npm run ${name}`);
}

test('every npm script that a page names exists', () => {
  expect(pages.flatMap(unknownScripts)).toEqual([]);
  expect(unknownScripts({ path: 'README.md', text: 'npm run lint, npm test, npm run gone' })).toEqual([
    'README.md: npm run gone',
  ]);
});

test('every script of package.json finds the file that it runs', () => {
  const named = Object.values(scripts).flatMap((command) => command.match(/scripts\/[\w.-]+/g) ?? []);
  expect(named.filter((path) => !existsSync(join(PROJECT, path)))).toEqual([]);
});

test('the changelog has a place for what is not released', () => {
  expect(readProjectFile('CHANGELOG.md').text).toMatch(/^## \[?Unreleased\]?$/m);
});

test('the licence is the whole Apache License 2.0, and every workspace names it', () => {
  const licence = readProjectFile('LICENSE').text;
  expect(licence).toContain('Version 2.0, January 2004');
  for (const part of ['TERMS AND CONDITIONS FOR USE', '9. Accepting Warranty', 'END OF TERMS AND CONDITIONS', 'APPENDIX'])
    expect(licence).toContain(part);
  const manifests = texts.filter(({ path }) => /(^|\/)package\.json$/.test(path));
  expect(
    manifests.filter(({ text }) => (JSON.parse(text) as { license?: string }).license !== 'Apache-2.0').map(({ path }) => path),
  ).toEqual([]);
});
