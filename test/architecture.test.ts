import { describe, expect, test } from 'vitest';
import { BROKEN } from './architecture/broken-examples.js';
import { CODE_RULES } from './architecture/code-rules.js';
import { GRAPH_RULES } from './architecture/graph-rules.js';
import { IMPORT_RULES } from './architecture/import-rules.js';
import { projectPaths, readProjectFile } from './architecture/project-files.js';
import type { Rule } from './architecture/rule.js';

/** The rules of ARCHITECTURE.md. */
const RULES: readonly Rule[] = [...IMPORT_RULES, ...CODE_RULES, ...GRAPH_RULES];

const files = projectPaths()
  .filter((path) => /\.ts$|(^|\/)package\.json$/.test(path) && !path.endsWith('.d.ts'))
  .map(readProjectFile);

test('the rules look at the files of the project', () => {
  expect(files.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['packages/domain/src/api-key.ts', 'test/architecture.test.ts']),
  );
});

describe.each(RULES.map((rule) => [rule.rule, rule] as const))('%s', (_, { rule, reason, check }) => {
  test('holds for every file of the project', () => {
    const failures = check(files).map(({ path, line, what }) => `${path}:${line} ${what}\n    ${rule}: ${reason}`);
    if (failures.length > 0) expect.fail(`\n${failures.join('\n')}`);
  });

  test('is broken by each example that should break it', () => {
    const examples = BROKEN.filter((example) => example.rule === rule);
    expect(examples.length, `${rule} has an example`).toBeGreaterThan(0);
    for (const example of examples) {
      const paths = example.files.map(({ path }) => path);
      const found = check(example.files).map(({ path, line }) => `${path}:${line}`);
      expect(found, paths.join(' ')).toEqual(example.at);
    }
  });
});

test('every example belongs to a rule', () => {
  const known = RULES.map(({ rule }) => rule);
  expect(BROKEN.filter(({ rule }) => !known.includes(rule))).toEqual([]);
});
