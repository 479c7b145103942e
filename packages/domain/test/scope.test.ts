import { demandedScopes, isGrant, isScope, missingScopes } from '@tollgate/domain/scope';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds } from './holds.js';

test.each<[string, readonly string[]]>([
  ['', []],
  ['  ', []],
  ['orders:read', ['orders:read']],
  ['a b', ['a', 'b']],
  ['a,b', ['a', 'b']],
  [' a , b  c ', ['a', 'b', 'c']],
  ['a a', ['a']],
])('a route that says "%s" demands %j', (text, scopes) => {
  expect(demandedScopes(text)).toEqual(scopes);
});

test.each([
  ',',
  'a,,b',
  'a,',
  'Orders:read',
  'orders:*',
  '*',
  'a;b',
  'orders/read',
  ':a',
  'a:',
  'ä',
  'x'.repeat(65),
  Array.from({ length: 65 }, (_, i) => `s${i}`).join(' '),
])('a route that says "%s" means nothing that can be known', (text) => {
  expect(demandedScopes(text)).toBeUndefined();
});

test.each<[string[], string[], string[]]>([
  [[], [], []],
  [[], ['a'], ['a']],
  [['a'], [], []],
  [['a'], ['a', 'b'], ['b']],
  [['*'], ['a', 'b:c'], []],
  [['orders:*'], ['orders:read', 'orders:read:all'], []],
  [['orders:*'], ['orders'], ['orders']],
  [['orders:*'], ['orders2:read', 'ordersx'], ['orders2:read', 'ordersx']],
  [['orders'], ['orders:read'], ['orders:read']],
  [['orders:read'], ['orders:readall', 'orders'], ['orders:readall', 'orders']],
  [['a:b:*'], ['a:b:c', 'a:c'], ['a:c']],
])('a key with %j that needs %j lacks %j', (granted, demanded, missing) => {
  expect(missingScopes(granted, demanded)).toEqual(missing);
});

const words = fc.string({ unit: fc.constantFrom('a', 'b', ':', '*', '.', '-', '_', '0'), maxLength: 12 });

test('what a route may demand a key may hold, and a wildcard is never demanded', () => {
  holds(fc.property(words, (word) => !isScope(word) || (isGrant(word) && !word.includes('*'))));
});

test('a scope satisfies its own demand, alone and among others', () => {
  const scopes = words.filter(isScope);
  holds(
    fc.property(fc.array(scopes), fc.array(words.filter(isGrant)), (demanded, others) => {
      return missingScopes([...others, ...demanded], demanded).length === 0;
    }),
  );
});

test('no text makes the demand throw, and what it demands is grammatical', () => {
  holds(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => demandedScopes(text)?.every(isScope) ?? true));
});
