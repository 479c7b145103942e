import { findRule } from '@tollgate/descriptor-limits/find-rule';
import { readRuleSet } from '@tollgate/descriptor-limits/rule-set';
import { hashApiKey } from '@tollgate/domain/api-key';
import { createCsvReader, csvLine } from '@tollgate/domain/csv';
import { createKeyFileReader, type KeyFileFormat, keyFileHeader, keyFileLine } from '@tollgate/domain/key-file';
import { KEY_FIELDS, type KeyRow } from '@tollgate/domain/key-row';
import { EnvoyConfigError, renderEnvoyConfig } from '@tollgate/envoy-config/render-envoy-config';
import { parseRoutesFile } from '@tollgate/envoy-config/routes-file';
import { expect } from 'vitest';
import { parse } from 'yaml';
import { fuzz } from './fuzz.js';
import { mutatedText } from './mutate.js';
import type { Random } from './random.js';

// Always the same, or a seed would not bring the same inputs again.
const SECRET = 'sk_live_0123456789abcdefghijklmnopxw54ll';

const ROWS: readonly KeyRow[] = [
  { organization: 'Acme', name: 'one', environment: 'live', keyHash: hashApiKey('1'), prefix: 'sk_live_4k2m', scopes: [] },
  {
    id: '018f3a2e-0000-7000-8000-000000000002',
    organization: 'Söme, "Ltd"\n',
    name: 'two',
    environment: 'test',
    keyHash: hashApiKey('2'),
    prefix: 'sk_test_4k2m',
    scopes: ['orders:*', 'users:read'],
    createdAt: new Date('2026-01-01T00:00:00Z'),
    createdBy: 'me',
    expiresAt: new Date('2027-01-01T00:00:00Z'),
    revokedAt: new Date('2026-06-01T00:00:00Z'),
    revokedReason: 'lost',
  },
];
const KEY_FILES: Record<KeyFileFormat, readonly string[]> = {
  jsonl: [ROWS.map((row) => keyFileLine('jsonl', row)).join(''), keyFileLine('jsonl', ROWS[0] as KeyRow)],
  csv: [keyFileHeader('csv') + ROWS.map((row) => keyFileLine('csv', row)).join(''), keyFileHeader('csv')],
};
const WORDS = [
  ...KEY_FIELDS,
  '"',
  '""',
  ',',
  '\r\n',
  '\n',
  '\r',
  '\ufeff',
  '\0',
  '{',
  '}',
  '[',
  'null',
  '__proto__',
  SECRET,
  '1e999',
  '\\ud800',
];

fuzz('a file of keys', (random) => {
  const format = random.pick(['jsonl', 'csv'] as const);
  const others = KEY_FILES[format];
  const text = mutatedText(random.pick(others), { others, words: WORDS }, random);
  const read = (pieces: readonly string[]) => {
    const reader = createKeyFileReader(format);
    return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
  };
  const items = read([text]);
  // However the file is cut into pieces, it holds the same keys.
  expect(read(cutUp(text, random))).toEqual(items);
  for (const item of items) {
    if ('problem' in item) expect(item.problem).not.toContain(SECRET.slice(8));
    else expect(readBack(format, item.row)).toEqual(item.row);
  }
});

function readBack(format: KeyFileFormat, row: KeyRow): KeyRow | undefined {
  const reader = createKeyFileReader(format);
  const [item] = [...reader.push(keyFileHeader(format) + keyFileLine(format, row)), ...reader.end()];
  return item !== undefined && 'row' in item ? item.row : undefined;
}

fuzz('a CSV file', (random) => {
  const others = KEY_FILES.csv;
  const text = mutatedText(random.pick(others), { others, words: WORDS }, random);
  const read = (pieces: readonly string[]) => {
    const reader = createCsvReader();
    return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
  };
  const records = read([text]);
  expect(read(cutUp(text, random))).toEqual(records);
  for (const { fields, problem } of records) {
    if (problem === undefined) expect(read(['a\n', csvLine(fields)]).map((record) => record.fields)).toEqual([['a'], fields]);
  }
});

function cutUp(text: string, random: Random): string[] {
  const pieces: string[] = [];
  for (let start = 0; start < text.length; ) {
    const end = start + 1 + random.below(40);
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}

const PASSWORD = 'hunter2correcthorse';
const ROUTES = [
  `# What the gateway serves
- name: orders
  prefix: /v1/orders
  upstream: https://orders.example.com
  scope: orders:read
  timeout: 1500ms
- { name: docs, prefix: /docs, upstream: "http://docs:3000", public: true }
- &a { name: events, prefix: /v1/events/, upstream: "grpc://events:50051", streaming: true }
`,
  '[{"name":"all","prefix":"/","upstream":"http://127.0.0.1:3000"}]',
  `- { name: a, prefix: /a, upstream: "http://user:${PASSWORD}@a.example" }\n`,
];
const YAML_WORDS = [
  ...[
    'name: ',
    'prefix: ',
    'upstream: ',
    'scope: ',
    'timeout: ',
    'public: ',
    'streaming: ',
    '- ',
    '&a ',
    '*a',
    '!!binary ',
    '<<: *a',
    '|',
    '>-',
  ],
  ...[
    '---\n',
    '...\n',
    '%YAML 1.1\n',
    '? ',
    '"',
    "'",
    '\t',
    '\0',
    '\u2028',
    '{',
    '[',
    ']'.repeat(50),
    '['.repeat(300),
    '%',
    '$',
    '\n- &b [*a,*a,*a,*a]',
  ],
];

const MAX_ROUTES_CHARACTERS = 2_000;

fuzz('a file of routes', (random) => {
  // Of thousands of open brackets the library tells each: that takes its time, but in proportion.
  const text = mutatedText(random.pick(ROUTES), { others: ROUTES, words: YAML_WORDS }, random).slice(0, MAX_ROUTES_CHARACTERS);
  const read = parseRoutesFile(text, 'routes.yaml');
  if (read.kind === 'refused') {
    expect(read.problems.length).toBeGreaterThan(0);
    for (const problem of read.problems) expect(problem).toMatch(/^routes\.yaml:\d+: /);
    return;
  }
  // What stands in it becomes a configuration that is YAML, or is refused with words.
  try {
    const yaml = renderEnvoyConfig({ routes: read.routes });
    // Reading all of it takes longer than everything else here.
    if (random.chance(0.05)) expect(parse(yaml)).toHaveProperty('static_resources');
  } catch (error) {
    if (!(error instanceof EnvoyConfigError)) throw error;
  }
});

const RULES = [
  `domain: shop
algorithm: fixed_window
descriptors:
  - key: user
    rate_limit: &a { unit: minute, requests_per_unit: 10, name: all }
  - key: path
    value: /a/*
    share_threshold: true
    descriptors:
      - { key: method, value: GET, shadow_mode: true, rate_limit: { <<: *a, replaces: [ { name: all } ] } }
`,
  '{"domain":"edge","descriptors":[{"key":"user","rate_limit":{"unlimited":true}}]}',
  `domain: ${PASSWORD}\ndescriptors:\n  - { key: a, value: "https://u:${PASSWORD}@x" }\n`,
];
const RULE_WORDS = [
  ...['domain: ', 'descriptors: ', 'key: ', 'value: ', 'rate_limit: ', 'unit: ', 'requests_per_unit: ', 'replaces: ', 'name: '],
  ...['algorithm: ', 'metadata: ', '*', '-1', '0.5', '1e9', 'null', '__proto__: ', 'constructor: ', 'tollgate', 'minute', 'true'],
  ...YAML_WORDS,
];

fuzz('files of rules', (random) => {
  const text = () =>
    mutatedText(random.pick(RULES), { others: RULES, words: RULE_WORDS }, random).slice(0, MAX_ROUTES_CHARACTERS);
  const read = readRuleSet([
    { name: 'a.yaml', text: text() },
    { name: 'b.yaml', text: text() },
  ]);
  if (read.kind === 'refused') {
    expect(read.problems.length).toBeGreaterThan(0);
    for (const problem of read.problems) expect(problem).toMatch(/^[ab]\.yaml:\d+: /);
    return;
  }
  for (const { rules } of read.rules.values()) {
    const rule = findRule(rules, [{ key: 'user', value: 'ann' }])?.[0];
    if (rule?.limit !== undefined && rule.limit !== 'unlimited') expect(rule.limit.requestsPerUnit).toBeGreaterThanOrEqual(0);
  }
});
