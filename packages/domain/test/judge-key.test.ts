import { type KeyDenial, type KeyRecord, keyDenial } from '@tollgate/domain/judge-key';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds } from './holds.js';

const NOW = Date.UTC(2026, 10, 23, 12);

function aKey(changes: Partial<KeyRecord> = {}): KeyRecord {
  return {
    id: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
    organizationId: '0f8fad5b-d9cb-469f-a165-70867728950e',
    environment: 'live',
    scopes: [],
    plan: 'basic',
    organizationIsActive: true,
    expiresAtMs: undefined,
    revokedAtMs: undefined,
    ...changes,
  };
}

test.each<[string, Partial<KeyRecord>, KeyDenial | undefined]>([
  ['a key without an end may be used', {}, undefined],
  ['a test key may be used', { environment: 'test' }, undefined],
  ['a key revoked long ago is revoked', { revokedAtMs: NOW - 1e9 }, 'revoked_api_key'],
  ['a key revoked this very millisecond is revoked', { revokedAtMs: NOW }, 'revoked_api_key'],
  ['a key to be revoked a millisecond from now may still be used', { revokedAtMs: NOW + 1 }, undefined],
  ['a rotated key in its overlap may be used', { revokedAtMs: NOW + 86_400_000 }, undefined],
  ['a key revoked at the epoch is revoked', { revokedAtMs: 0 }, 'revoked_api_key'],
  ['a key that expired a millisecond ago has expired', { expiresAtMs: NOW - 1 }, 'expired_api_key'],
  ['a key that expires this very millisecond has expired', { expiresAtMs: NOW }, 'expired_api_key'],
  ['a key that expires a millisecond from now may still be used', { expiresAtMs: NOW + 1 }, undefined],
  ['a key that expired at the epoch has expired', { expiresAtMs: 0 }, 'expired_api_key'],
  ['a key of a suspended organization is refused', { organizationIsActive: false }, 'organization_suspended'],
  ['revoked goes before expired', { revokedAtMs: NOW, expiresAtMs: NOW - 1e9 }, 'revoked_api_key'],
  ['revoked goes before suspended', { revokedAtMs: NOW, organizationIsActive: false }, 'revoked_api_key'],
  ['expired goes before suspended', { expiresAtMs: NOW, organizationIsActive: false }, 'expired_api_key'],
  ['a future end does not hide that it has expired', { revokedAtMs: NOW + 1, expiresAtMs: NOW }, 'expired_api_key'],
  [
    'a future end does not hide a suspended organization',
    { revokedAtMs: NOW + 1, organizationIsActive: false },
    'organization_suspended',
  ],
])('%s', (_, changes, denial) => {
  expect(keyDenial(aKey(changes), NOW)).toBe(denial);
});

test('a key that was refused for its time never comes back later', () => {
  const moments = fc.option(fc.integer({ min: 0, max: 2 * NOW }), { nil: undefined });
  const key = fc.record({ revokedAtMs: moments, expiresAtMs: moments, organizationIsActive: fc.boolean() });
  const times = fc.tuple(fc.integer({ min: 0, max: 2 * NOW }), fc.nat({ max: NOW }));
  holds(
    fc.property(key, times, (changes, [nowMs, laterByMs]) => {
      if (keyDenial(aKey(changes), nowMs) === undefined) return;
      expect(keyDenial(aKey(changes), nowMs + laterByMs)).toBeDefined();
    }),
  );
});
