import { expect, test } from 'vitest';
import { isMap } from 'yaml';
import { openYamlFile, problemLines, startOf } from '../src/yaml-file.js';

test('an alias leads to the last thing of that name that stands before it', () => {
  const file = openYamlFile('a: &x 1\nb: *x\nc: &x 2\nd: *x\n');
  if (!isMap(file.root)) throw new Error('no map');
  const values = file.root.items.map(({ value }) => file.resolve(value)?.toJSON() as unknown);
  expect(values).toEqual([1, 1, 2, 2]);
  expect(file.lineOf(file.root.items[3]?.value)).toBe(4);
});

test('an alias for nothing is a mistake, with its line, even where nobody follows it', () => {
  expect(openYamlFile('a: 1\nb: [*x]\n').problems).toEqual([{ line: 2, what: '*x names nothing that stands before it' }]);
});

test('twenty thousand aliases take no longer than they are', () => {
  const startMs = performance.now();
  const file = openYamlFile(`a: &x 1\nb:\n${'  - *x\n'.repeat(20_000)}`);
  expect([file.problems.length, performance.now() - startMs < 10_000]).toEqual([0, true]);
});

test('what is nested without end is a mistake and no crash', () => {
  expect(openYamlFile('['.repeat(20_000)).problems.length).toBeGreaterThan(0);
});

test('problems are told in the order of their lines, whenever they were found', () => {
  const file = openYamlFile('a: 1\nb: 2\n');
  if (!isMap(file.root)) throw new Error('no map');
  file.report(startOf(file.root.items[1]?.value), 'second');
  file.report(0, 'first');
  expect(problemLines('f.yaml', file.problems)).toEqual(['f.yaml:1: first', 'f.yaml:2: second']);
});
