import { describe, expect, test } from 'vitest';
import { readRuleSet } from '../src/rule-set.js';

function problems(...texts: string[]): string[] {
  const read = readRuleSet(texts.map((text, i) => ({ name: `${String.fromCharCode(97 + i)}.yaml`, text })));
  return read.kind === 'refused' ? read.problems : [];
}

const LIMIT = 'rate_limit: { unit: minute, requests_per_unit: 1 }';

test('every mistake is told at once, with its file and line', () => {
  const text = `domain: ""
algorithm: sliding_window
descriptors:
  - key: ""
  - value: x
  - key: a*
  - key: a
    valeu: x
    rate_limit:
      unit: fortnight
      requests_per_unit: -1
  - key: b
    rate_limit: { unlimited: true, unit: day }
  - key: c
    rate_limit:
      unit: minute
      requests_per_unit: 1
      name: mine
      replaces:
        - name: mine
        - name: ""
        - other
  - key: d
    value: x
    descriptors:
      - key: e
        value: y
      - key: e
        value: y
  - just text
  - key: f
    value: plain
    share_threshold: true
    shadow_mode: yes
    rate_limit: 5
  - key: g
    rate_limit: {}
  - key: h
    rate_limit: { unit: minute, requests_per_unit: 1.5, shadow_mode: true }
    descriptors: { key: i }
  - 0.25: x
    key: j
    rate_limit: { unit: 7, requests_per_unit: 4294967296 }
    metadata: 5
`;
  expect(problems(text)).toEqual([
    'a.yaml:1: the file needs a domain that is not empty',
    'a.yaml:2: algorithm must be one of token_bucket, fixed_window',
    'a.yaml:4: the descriptor needs a key that is not empty',
    'a.yaml:5: the descriptor needs a key that is not empty',
    'a.yaml:6: a key holds no *: wildcards are for values',
    expect.stringMatching(/^a\.yaml:8: a descriptor has no field "valeu"; it has key, value, /),
    'a.yaml:10: unit must be one of second, minute, hour, day, week, month, year',
    'a.yaml:11: requests_per_unit must be a whole number from 0 to 4294967295',
    'a.yaml:13: an unlimited rate_limit has no unit',
    'a.yaml:20: the limit "mine" cannot replace itself',
    'a.yaml:21: an item of replaces needs the name of another limit',
    'a.yaml:22: an item of replaces must be a map with fields such as name',
    'a.yaml:28: the key "e" with the value "y" is there already, in line 26',
    'a.yaml:30: a descriptor must be a map with fields such as key and value',
    'a.yaml:33: share_threshold is for values with a *, whose matches then count together',
    'a.yaml:34: shadow_mode must be true or false',
    'a.yaml:35: rate_limit must be a map with fields such as unit and requests_per_unit',
    'a.yaml:37: rate_limit needs unit and requests_per_unit, or unlimited: true',
    expect.stringMatching(/^a\.yaml:39: rate_limit has no field "shadow_mode"/),
    'a.yaml:39: requests_per_unit must be a whole number from 0 to 4294967295',
    'a.yaml:40: descriptors must be a list',
    'a.yaml:41: the name of a field must be a text, not 0.25',
    'a.yaml:43: requests_per_unit must be a whole number from 0 to 4294967295',
    'a.yaml:43: unit must be one of second, minute, hour, day, week, month, year',
    'a.yaml:44: metadata must be a map',
  ]);
});

test.each([
  ['nothing', '', 1],
  ['a comment alone', '# later\n', 1],
  ['a list', '- domain: a\n', 1],
  ['a text', 'domain', 1],
])('%s is no file of rules', (_, text, line) => {
  expect(problems(text)).toEqual([`a.yaml:${line}: the file must be a map with fields such as domain and descriptors`]);
});

test.each([
  ['a bracket that is not closed', 'domain: [\n'],
  ['a tab', 'domain: a\ndescriptors:\n\t- key: b\n'],
  ['a name that was given to nothing', 'domain: a\ndescriptors: *none\n'],
  ['a second document, which would be lost', 'domain: a\n---\ndomain: b\n'],
  ['a domain given twice', 'domain: a\ndomain: b\n'],
  ['a field given twice', `domain: a\ndescriptors:\n  - key: b\n    value: x\n    value: y\n    ${LIMIT}\n`],
])('%s is reported with its line', (_, text) => {
  expect(problems(text)).toEqual([expect.stringMatching(/^a\.yaml:\d+: ./)]);
});

test('a key without a value may be there once, and its values once each', () => {
  expect(problems(`domain: a\ndescriptors:\n  - { key: b, ${LIMIT} }\n  - { key: b, value: "" }\n`)).toEqual([
    'a.yaml:4: the key "b" without a value is there already, in line 3',
  ]);
  expect(problems(`domain: a\ndescriptors:\n  - { key: b, value: "x*" }\n  - { key: b, value: "x*" }\n`)).toHaveLength(1);
});

test('the domain of the organizations is not to be had', () => {
  expect(problems('domain: tollgate\n')).toEqual([
    expect.stringMatching(/^a\.yaml:1: the domain tollgate is that of the limits/),
  ]);
});

test('a zero is a limit that lets nothing through, and what has no limit is let through', () => {
  const text = 'domain: a\ndescriptors:\n  - key: b\n    rate_limit: { unit: second, requests_per_unit: 0 }\n  - key: c\n';
  expect(problems(text)).toEqual([]);
});

describe('files of one domain', () => {
  test('are merged', () => {
    const read = readRuleSet([
      { name: 'a.yaml', text: `domain: d\ndescriptors:\n  - { key: a, ${LIMIT} }\n` },
      { name: 'b.yaml', text: `domain: d\ndescriptors:\n  - { key: a, value: x, ${LIMIT} }\n  - { key: b, ${LIMIT} }\n` },
      { name: 'c.yaml', text: `domain: other\ndescriptors:\n  - { key: a, ${LIMIT} }\n` },
    ]);
    if (read.kind === 'refused') throw new Error(read.problems.join('\n'));
    expect(read.ruleCount).toBe(4);
    expect([...(read.rules.get('d')?.rules.keys() ?? [])]).toEqual(['a', 'b']);
    expect(read.rules.get('d')?.rules.get('a')?.byValue.has('x')).toBe(true);
  });

  test('may not have the same descriptor twice, nor different algorithms', () => {
    const twice = `domain: d\ndescriptors:\n  - { key: a, ${LIMIT} }\n`;
    expect(problems(twice, twice)).toEqual(['b.yaml:3: the key "a" without a value is there already, in a.yaml:3']);
    expect(problems('domain: d\n', 'algorithm: fixed_window\ndomain: d\n')).toEqual([
      'b.yaml:2: a.yaml says algorithm: token_bucket for this domain: its files must agree',
    ]);
  });
});

test('aliases and << are followed, as the files of envoyproxy/ratelimit may have them', () => {
  const text = `domain: d
descriptors:
  - key: a
    rate_limit: &limit { unit: hour, requests_per_unit: 5 }
  - key: b
    rate_limit: *limit
  - key: c
    rate_limit: { <<: *limit, requests_per_unit: 6 }
`;
  const read = readRuleSet([{ name: 'a.yaml', text }]);
  if (read.kind === 'refused') throw new Error(read.problems.join('\n'));
  const limits = ['a', 'b', 'c'].map((key) => read.rules.get('d')?.rules.get(key)?.otherwise?.limit);
  expect(limits).toEqual([
    { unit: 'hour', requestsPerUnit: 5, algorithm: 'token_bucket' },
    { unit: 'hour', requestsPerUnit: 5, algorithm: 'token_bucket' },
    { unit: 'hour', requestsPerUnit: 6, algorithm: 'token_bucket' },
  ]);
});

test('aliases cannot blow a small file up, nor lead round in a circle', () => {
  const levels = Array.from(
    { length: 19 },
    (_, i) => `  - &x${i + 1}\n    key: k${i + 1}\n    descriptors: [*x${i}, { key: o, descriptors: [*x${i}] }]`,
  );
  const bomb = `domain: d\ndescriptors:\n  - &x0 { key: k0 }\n${levels.join('\n')}\n`;
  expect(problems(bomb).join('\n')).toMatch(/levels at most|at most 10000 descriptors/);
  const circle = 'domain: d\ndescriptors: &all\n  - key: a\n    descriptors: *all\n';
  expect(problems(circle)).toEqual([expect.stringContaining('20 levels at most')]);
  const merged = 'domain: d\ndescriptors:\n  - &a\n    key: a\n    <<: *a\n';
  expect(problems(merged).join('\n')).toMatch(/^a\.yaml:\d+: /);
});

test('a file that is nested without end is refused', () => {
  expect(problems(`domain: ${'['.repeat(20_000)}`).join('\n')).toMatch(/^a\.yaml:1: /);
  expect(problems('domain: d\ndescriptors:\n  - *later\n  - &later { key: a }\n')).toEqual([
    'a.yaml:3: *later names nothing that stands before it',
  ]);
});

test('the algorithm of a file is that of its descriptors, and one’s own that of all beneath', () => {
  const text = `domain: d
algorithm: fixed_window
descriptors:
  - { key: a, ${LIMIT} }
  - key: b
    algorithm: token_bucket
    descriptors:
      - { key: c, ${LIMIT} }
`;
  const read = readRuleSet([{ name: 'a.yaml', text }]);
  if (read.kind === 'refused') throw new Error(read.problems.join('\n'));
  const rules = read.rules.get('d');
  expect(rules?.algorithm).toBe('fixed_window');
  expect(rules?.rules.get('a')?.otherwise?.limit).toMatchObject({ algorithm: 'fixed_window' });
  expect(rules?.rules.get('b')?.otherwise?.beneath.get('c')?.otherwise?.limit).toMatchObject({ algorithm: 'token_bucket' });
});
