import { hashApiKey } from '@tollgate/domain/api-key';
import { createKeyFileReader, type KeyFileFormat, keyFileHeader, keyFileLine } from '@tollgate/domain/key-file';
import { KEY_FIELDS, type KeyRow } from '@tollgate/domain/key-row';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds } from './holds.js';

const FORMATS: readonly KeyFileFormat[] = ['jsonl', 'csv'];
const HASH = hashApiKey('a');

function read(format: KeyFileFormat, ...pieces: string[]) {
  const reader = createKeyFileReader(format);
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
}

function json(parts: Record<string, unknown>): string {
  return JSON.stringify({
    organization: 'Acme',
    name: 'k',
    environment: 'live',
    key_hash: HASH,
    prefix: 'sk_live_4k2m',
    ...parts,
  });
}

function problemsOf(text: string, format: KeyFileFormat = 'jsonl'): string {
  return read(format, text)
    .map((item) => ('problem' in item ? `${item.line}: ${item.problem}` : ''))
    .join('\n');
}

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
const time = fc.date({ min: new Date('1970-01-01'), max: new Date('2500-01-01'), noInvalidDate: true });
const rows: fc.Arbitrary<KeyRow> = fc
  .record(
    {
      organization: text,
      name: text,
      environment: fc.constantFrom('live', 'test'),
      keyHash: text.map(hashApiKey),
      prefix: fc.constantFrom('pk_1', 'AKIA', '"a,b'),
      scopes: fc.uniqueArray(fc.constantFrom('a', 'b:c', 'd:*', '*')).map((scopes) => scopes.sort((a, b) => (a < b ? -1 : 1))),
      id: fc.uuid(),
      createdAt: time,
      createdBy: text,
      expiresAt: time,
      revokedAt: time,
      revokedReason: text,
    },
    { requiredKeys: ['organization', 'name', 'environment', 'keyHash', 'prefix', 'scopes'] },
  )
  .filter(({ createdAt, expiresAt }) => createdAt === undefined || expiresAt === undefined || expiresAt > createdAt)
  .filter(({ revokedAt, revokedReason }) => revokedReason === undefined || revokedAt !== undefined);
const files = fc.uniqueArray(rows, { maxLength: 4, selector: ({ keyHash }) => keyHash });

test.each(FORMATS)('%s that was written is read again, over 10,000 files in pieces', (format) => {
  holds(
    fc.property(files, fc.nat(400), (keys, cut) => {
      const file = keyFileHeader(format) + keys.map((key) => keyFileLine(format, key)).join('');
      const found = read(format, file.slice(0, cut), file.slice(cut));
      expect(found.map((item) => ('row' in item ? item.row : item))).toEqual(keys);
    }),
    { numRuns: 10_000 },
  );
});

test.each(FORMATS)('nothing that stands in a file makes the reader of %s throw, over 10,000 files', (format) => {
  const pieces = fc.constantFrom(
    '"',
    ',',
    '\n',
    '{',
    '}',
    ':',
    '[',
    'null',
    '"id"',
    'id',
    'organization',
    '__proto__',
    '\0',
    'x',
    '\ud800',
  );
  const noise = fc.string({ unit: fc.oneof(pieces, fc.string({ maxLength: 3 })), maxLength: 60 });
  const start = format === 'csv' ? fc.constantFrom('', `${KEY_FIELDS.join(',')}\n`) : fc.constant('');
  holds(
    fc.property(start, noise, (header, body) => read(format, header + body).every((item) => 'problem' in item && item.line >= 1)),
    { numRuns: 10_000 },
  );
});

test('every problem of a line is told at once, by the line, and the lines around it are read', () => {
  const found = read(
    'jsonl',
    `${json({})}\n\n${json({ key_hash: hashApiKey('b'), id: 7, expires: 'x', created_at: 'soon' })}\n{\n[]\n`,
  );
  expect(found).toEqual([
    expect.objectContaining({ line: 1 }),
    { line: 3, problem: 'there is no field "expires"; id must be text; created_at must be a time such as 2026-11-23T09:59:48Z' },
    { line: 4, problem: 'is no JSON object' },
    { line: 5, problem: 'is no JSON object' },
  ]);
});

test.each<[string, Record<string, unknown>, RegExp]>([
  ['a field with a typo', { expires: '2030-01-01T00:00:00Z' }, /no field "expires"/],
  ['no organization', { organization: null }, /organization is missing/],
  ['a hash that is none', { key_hash: 'abc' }, /key_hash must be SHA-256/],
  ['another environment', { environment: 'prod' }, /environment must be live or test/],
  ['a prefix of the other environment', { prefix: 'sk_test_4k2m' }, /other environment/],
  ['a prefix that tells more of the secret', { prefix: 'sk_live_4k2m5' }, /prefix must be/],
  ['a scope outside of the grammar', { scopes: ['Orders'] }, /scopes must be/],
  ['scopes that are a number', { scopes: 5 }, /scopes must be/],
  ['a time without its zone', { expires_at: '2030-01-01T00:00:00' }, /expires_at must be a time/],
  ['a day that is none', { expires_at: '2030-02-30T00:00:00Z' }, /expires_at must be a time/],
  ['an end before its beginning', { created_at: '2030-01-01T00:00:00Z', expires_at: '2030-01-01T00:00:00Z' }, /after created_at/],
  ['a reason without a revocation', { revoked_reason: 'leaked' }, /needs revoked_at/],
])('%s is refused', (_, parts, problem) => {
  expect(problemsOf(json(parts))).toMatch(problem);
});

test('the same key twice is told with both lines', () => {
  expect(problemsOf(`${json({})}\n${json({ name: 'other' })}\n`)).toBe('\n2: is the same key as line 1');
});

test('a file without its header is one problem, and the secrets in it are not repeated', () => {
  const secret = 'sk_live_4k2m9x';
  const told = problemsOf(`${secret},a\n${secret},b\n`, 'csv');
  expect(told).toMatch(/^1: the first line must name the fields/);
  expect(told.split('\n')).toHaveLength(1);
  expect(told).not.toContain(secret);
  expect(problemsOf(json({ [secret]: 1, key_hash: secret, prefix: `${secret}0000`, created_at: secret }))).not.toContain(secret);
});

test('a record with too few fields is told by its line', () => {
  expect(problemsOf('name,organization\r\n"a\r\nb",c\r\nd\r\n', 'csv')).toMatch(
    /^2: .*missing.*\n4: has 1 fields, and the first line has 2$/,
  );
});

test('hashes and ids are kept in lower case, scopes sorted and each once', () => {
  const id = '0F8FAD5B-D9CB-469F-A165-70867728950E';
  expect(read('jsonl', json({ id, key_hash: HASH.toUpperCase(), scopes: 'b a,a' }))).toMatchObject([
    { row: { id: id.toLowerCase(), keyHash: HASH, scopes: ['a', 'b'] } },
  ]);
});
