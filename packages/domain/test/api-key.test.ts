import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { apiKeyEnvironment, apiKeyPrefix, generateApiKey, hashApiKey } from '@tollgate/domain/api-key';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds } from './holds.js';

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';

/** The documented checksum, by zlib: CRC-32 of everything before it, modulo 36^6, base 36, padded with zeros. */
const checksumOf = (body: string) => (crc32(body) % 36 ** 6).toString(36).padStart(6, '0');

const environments = fc.constantFrom('live', 'test');
const randomPart = fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: 26, maxLength: 26 });
const bodies = fc.tuple(environments, randomPart).map(([environment, random]) => `sk_${environment}_${random}`);
const keys = bodies.map((body) => body + checksumOf(body));

test('a generated key has the published format, is accepted, and carries its environment', () => {
  for (const environment of ['live', 'test'] as const) {
    for (let i = 0; i < 500; i++) {
      const key = generateApiKey(environment);
      expect(key).toMatch(/^sk_(test|live)_[a-z0-9]{32}$/);
      expect(key.startsWith(`sk_${environment}_`)).toBe(true);
      expect(apiKeyEnvironment(key)).toBe(environment);
    }
  }
});

test('the checksum is the CRC-32 that zlib computes, reduced to six base-36 digits', () => {
  holds(
    fc.property(bodies, (body) => apiKeyEnvironment(body + checksumOf(body)) !== undefined),
    { numRuns: 5_000 },
  );
  for (let i = 0; i < 500; i++) {
    const key = generateApiKey('live');
    expect(key.slice(-6)).toBe(checksumOf(key.slice(0, -6)));
  }
});

test('a checksum that begins with zeros keeps them', () => {
  let padded = 0;
  for (let i = 0; i < 20_000; i++) {
    const body = `sk_live_${i.toString(36).padStart(26, '0')}`;
    const sum = checksumOf(body);
    if (!sum.startsWith('0')) continue;
    padded++;
    expect(apiKeyEnvironment(body + sum)).toBe('live');
    expect(apiKeyEnvironment(`${body}${sum.slice(1)}`)).toBeUndefined();
  }
  expect(padded).toBeGreaterThan(100);
});

test('every edit of one character is refused, over 500,000 edits', () => {
  let edits = 0;
  let accepted = 0;
  // Fixed keys: a draw of 36^-6 is rare, and still it must not fail a build by chance.
  for (const key of fc.sample(keys, { seed: 20261123, numRuns: 450 })) {
    for (let at = 8; at < key.length; at++) {
      for (const character of ALPHABET) {
        if (character === key[at]) continue;
        edits++;
        if (apiKeyEnvironment(key.slice(0, at) + character + key.slice(at + 1)) !== undefined) accepted++;
      }
    }
  }
  expect(edits).toBe(450 * 32 * 35);
  expect(accepted).toBe(0);
});

test('two neighbours swapped, a character lost and a character doubled are refused', () => {
  for (const key of fc.sample(keys, { seed: 20261124, numRuns: 1_000 })) {
    for (let at = 8; at < key.length - 1; at++) {
      const [left, right] = [key.charAt(at), key.charAt(at + 1)];
      if (left !== right) expect(apiKeyEnvironment(key.slice(0, at) + right + left + key.slice(at + 2))).toBeUndefined();
    }
    expect(apiKeyEnvironment(key.slice(0, 20) + key.slice(21))).toBeUndefined();
    expect(apiKeyEnvironment(key.slice(0, 20) + key.charAt(20) + key.slice(20))).toBeUndefined();
  }
});

test('a live key does not become a test key by its prefix', () => {
  const swap = (key: string) => (key.startsWith('sk_live_') ? key.replace('live', 'test') : key.replace('test', 'live'));
  for (const key of fc.sample(keys, { seed: 20261125, numRuns: 5_000 })) {
    expect(apiKeyEnvironment(swap(key))).toBeUndefined();
  }
});

test('only about one random text of the right shape in 36^6 passes the checksum', () => {
  const texts = fc.tuple(environments, fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: 32, maxLength: 32 }));
  const accepted = fc
    .sample(texts, { seed: 20261126, numRuns: 50_000 })
    .filter(([environment, random]) => apiKeyEnvironment(`sk_${environment}_${random}`) !== undefined);
  expect(accepted).toEqual([]);
});

const body = `sk_live_${'a'.repeat(26)}`;
const valid = body + checksumOf(body);

test.each<[string, string]>([
  ['nothing', ''],
  ['upper case', valid.toUpperCase()],
  ['one letter in upper case', `${valid.slice(0, 8)}A${valid.slice(9)}`],
  ['another environment', valid.replace('live', 'prod')],
  ['another prefix', valid.replace('sk_', 'pk_')],
  ['a space before', ` ${valid}`],
  ['a space after', `${valid} `],
  ['a line feed after', `${valid}\n`],
  ['a NUL after', `${valid}\0`],
  ['Bearer before', `Bearer ${valid}`],
  ['two keys', `${valid},${valid}`],
  ['a letter that looks alike', `${valid.slice(0, 8)}а${valid.slice(9)}`],
  ['a digit of another script', `${valid.slice(0, 8)}١${valid.slice(9)}`],
])('%s is no key', (_, text) => {
  expect(apiKeyEnvironment(valid)).toBe('live');
  expect(apiKeyEnvironment(text)).toBeUndefined();
});

test.each<[string, string]>([
  ['one character more', `sk_live_${'a'.repeat(27)}`],
  ['one character less', `sk_live_${'a'.repeat(25)}`],
  ['upper case', `sk_live_${'A'.repeat(26)}`],
  ['a line feed before', `\nsk_live_${'a'.repeat(26)}`],
  ['another environment', `sk_prod_${'a'.repeat(26)}`],
])('%s is no key, not even with the right checksum', (_, wrong) => {
  expect(apiKeyEnvironment(wrong + checksumOf(wrong))).toBeUndefined();
});

test('no text makes the check throw', () => {
  holds(fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => apiKeyEnvironment(text) === undefined));
});

/** How far the counts of the 36 characters lie from even: chi-square with 35 degrees of freedom. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

/** An honest source passes this once in about 10^13 times; one that takes a byte modulo 36 scores about 400. */
const CHI_SQUARE_WALL = 140;

test('the 36 characters are drawn evenly', () => {
  const counts = new Array<number>(36).fill(0);
  for (let i = 0; i < 7_693; i++) {
    for (const character of generateApiKey('live').slice(8, 34)) {
      const index = ALPHABET.indexOf(character);
      counts[index] = (counts[index] ?? 0) + 1;
    }
  }
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(200_000);
  expect(chiSquare(counts)).toBeLessThan(CHI_SQUARE_WALL);
});

test('the evenness test would notice a byte taken modulo 36', () => {
  const biased = Array.from({ length: 36 }, (_, index) => (200_000 / 256) * (index < 256 % 36 ? 8 : 7));
  expect(chiSquare(biased)).toBeGreaterThan(2 * CHI_SQUARE_WALL);
});

test('no key is made twice', () => {
  const made = Array.from({ length: 20_000 }, () => generateApiKey('test'));
  expect(new Set(made).size).toBe(made.length);
});

test('a key is stored as its plain SHA-256 in hex', () => {
  expect(hashApiKey('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  holds(fc.property(keys, (key) => hashApiKey(key) === createHash('sha256').update(key).digest('hex')));
});

test('what is shown of a key is its first 12 characters: four of the 26 random ones', () => {
  holds(
    fc.property(keys, (key) => apiKeyPrefix(key) === key.slice(0, 12) && /^sk_(live|test)_[a-z0-9]{4}$/.test(apiKeyPrefix(key))),
  );
});
