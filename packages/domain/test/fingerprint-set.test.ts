import { randomBytes } from 'node:crypto';
import { createFingerprintSet } from '@tollgate/domain/fingerprint-set';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds } from './holds.js';

/** As much of each as the set looks at. */
function randomHashes(count: number): string[] {
  const bytes = randomBytes(8 * count);
  return Array.from({ length: count }, (_, i) => bytes.toString('hex', 8 * i, 8 * i + 8));
}

const padded = (high: string, low: string): string => (high + low).padEnd(64, 'f');

test('a million hashes that arrive in their order are all found, no other is, in 16 MB', { timeout: 120_000 }, () => {
  const set = createFingerprintSet();
  const inOrder = (a: string, b: string): number => (a < b ? -1 : 1);
  const hashes = randomHashes(1_000_000).sort(inOrder);
  for (const one of hashes) set.add(one);
  expect(set.size()).toBe(hashes.length);
  expect(set.byteLength()).toBeLessThanOrEqual(16_000_000);
  expect(set.byteLength()).toBeGreaterThanOrEqual(8_000_000);
  expect(hashes.every((one) => set.has(one))).toBe(true);
  expect(randomHashes(1_000_000).filter((one) => set.has(one))).toEqual([]);
});

test('it agrees with a set of all first 16 digits, crowded and with zeros', () => {
  const word = fc.constantFrom('00000000', '00000001', 'ffffffff', '80000000', 'fffffffe');
  const one = fc.tuple(word, word).map(([high, low]) => padded(high, low));
  holds(
    fc.property(fc.array(one), fc.array(one), (added, asked) => {
      const set = createFingerprintSet();
      for (const each of added) set.add(each);
      const model = new Set(added.map((each) => each.slice(0, 16)));
      return set.size() === model.size && asked.every((each) => set.has(each) === model.has(each.slice(0, 16)));
    }),
  );
});

test('a crowd at the last slot goes on at the first, also while it grows', () => {
  const set = createFingerprintSet();
  const crowd = Array.from({ length: 3_000 }, (_, i) => padded((i + 1).toString(16).padStart(8, '0'), 'ffffffff'));
  for (const each of crowd) set.add(each);
  expect(crowd.every((each) => set.has(each))).toBe(true);
  expect(set.has(padded('0000ffff', 'ffffffff'))).toBe(false);
  expect(set.size()).toBe(3_000);
});

test('what is no hash is a mistake and not a fingerprint', () => {
  const set = createFingerprintSet();
  expect(() => set.add('')).toThrow(RangeError);
  expect(() => set.has('sk_live_x')).toThrow(RangeError);
});
