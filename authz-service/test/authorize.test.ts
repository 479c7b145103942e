import { generateApiKey, hashApiKey } from '@tollgate/domain/api-key';
import type { KeyRecord } from '@tollgate/domain/judge-key';
import { expect, test } from 'vitest';
import { authorize } from '../src/authorize.js';
import type { PresentedKey } from '../src/presented-key.js';
import { aKey, NOON } from './a-key.js';

const secret = generateApiKey('live');
const presented: PresentedKey = { kind: 'key', secret, isInAuthorization: true };

/** Knows one key, at once. */
function knows(key: KeyRecord | undefined) {
  return { find: (hash: string) => (hash === hashApiKey(secret) ? key : undefined) };
}
const neverAsked = {
  find: () => {
    throw new Error('a look-up that should not be');
  },
};

test('a good key passes, with its record and the header that carried it', () => {
  const key = aKey();
  expect(authorize(presented, knows(key), NOON)).toEqual({ kind: 'allowed', key, isInAuthorization: true });
});

test.each([
  ['unknown', undefined, 'invalid_api_key'],
  ['revoked this instant', aKey({ revokedAtMs: NOON }), 'revoked_api_key'],
  ['expired this instant', aKey({ expiresAtMs: NOON }), 'expired_api_key'],
  ['of a suspended organization', aKey({ organizationIsActive: false }), 'organization_suspended'],
])('a key that is %s is denied with its reason', (_, key, code) => {
  expect(authorize(presented, knows(key), NOON)).toEqual({ kind: 'denied', code });
});

test.each<[granted: string[], demand: string, missing: string[] | undefined]>([
  [[], '', undefined],
  [['orders:read'], '', undefined],
  [['orders:read'], 'orders:read', undefined],
  [['orders:*'], 'orders:read orders:write', undefined],
  [[], 'orders:read', ['orders:read']],
  [['orders:read'], 'orders:read,orders:write', ['orders:write']],
  [['*'], 'orders:read,,', []],
  [['*'], 'Orders', []],
])('a key with %j on a route that demands "%s" lacks %j', (scopes, demand, missing) => {
  const key = aKey({ scopes });
  const allowed = { kind: 'allowed', key, isInAuthorization: true };
  const denied = { kind: 'denied', code: 'insufficient_scope', missing };
  expect(authorize(presented, knows(key), NOON, demand)).toEqual(missing === undefined ? allowed : denied);
});

test('a key that may not be used is told that, not what it lacks', () => {
  const revoked = knows(aKey({ revokedAtMs: NOON }));
  expect(authorize(presented, revoked, NOON, 'orders:read')).toEqual({ kind: 'denied', code: 'revoked_api_key' });
});

test('what is no key is denied without a look-up', () => {
  expect(authorize({ kind: 'missing' }, neverAsked, NOON)).toEqual({ kind: 'denied', code: 'missing_api_key' });
  expect(authorize({ kind: 'malformed' }, neverAsked, NOON)).toEqual({ kind: 'denied', code: 'malformed_api_key' });
});

test('a key that must be read is judged when it is there, and where nobody can tell that is an error', async () => {
  const revoked = { find: async () => aKey({ revokedAtMs: NOON }) };
  expect(await authorize(presented, revoked, NOON)).toEqual({ kind: 'denied', code: 'revoked_api_key' });
  const down = { find: () => Promise.reject(new Error('down')) };
  await expect(authorize(presented, down, NOON)).rejects.toThrow('down');
});
