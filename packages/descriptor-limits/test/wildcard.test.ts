import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesWildcard } from '../src/wildcard.js';

test('it is the regular expression that has any text for each *', () => {
  const few = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 });
  const pattern = fc.array(
    few.filter((text) => text.length < 4),
    { minLength: 2, maxLength: 4 },
  );
  fc.assert(
    fc.property(pattern, few, (parts, value) => {
      const expected = new RegExp(`^${parts.join('.*')}$`).test(value);
      expect(matchesWildcard(parts, value)).toBe(expected);
    }),
    { numRuns: 5_000 },
  );
});

test('what a value repeats of a pattern is not counted twice', () => {
  expect(matchesWildcard(['foo', 'oo'], 'foo')).toBe(false);
  expect(matchesWildcard(['a', 'b', 'b'], 'ab')).toBe(false);
  expect(matchesWildcard(['a', 'b', 'b'], 'abb')).toBe(true);
});

test('a value made to be slow is not', () => {
  const parts = `${'a*'.repeat(200)}b`.split('*');
  const startMs = performance.now();
  for (let i = 0; i < 10; i++) matchesWildcard(parts, 'a'.repeat(100_000));
  expect(performance.now() - startMs).toBeLessThan(5_000);
});
