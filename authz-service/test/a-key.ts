import type { KeyRecord } from '@tollgate/domain/judge-key';

export const NOON = Date.UTC(2026, 10, 23, 12);

/** A key that may be used, but for what is said of it. */
export function aKey(parts: Partial<KeyRecord> = {}): KeyRecord {
  return {
    id: '22222222-2222-4222-8222-222222222222',
    organizationId: '11111111-1111-4111-8111-111111111111',
    environment: 'live',
    scopes: [],
    plan: 'premium',
    organizationIsActive: true,
    expiresAtMs: undefined,
    revokedAtMs: undefined,
    ...parts,
  };
}
