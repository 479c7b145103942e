import { expect, test } from 'vitest';
import { createSharedValues } from '../src/shared-values.js';

test('equal names have one value, and never more are held than the bound', () => {
  const { share } = createSharedValues<string[]>(2);
  const first = share('a', ['a']);
  expect(share('a', ['a'])).toBe(first);
  expect(share('b', ['b'])).toEqual(['b']);
  expect(share('a', ['a'])).toBe(first);
  expect(share('c', ['c'])).toEqual(['c']);
  const again = ['a'];
  expect(share('a', again)).toBe(again);
});
