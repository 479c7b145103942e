import { hashApiKey } from '@tollgate/domain/api-key';
import type { ErrorCode } from '@tollgate/domain/error-code';
import { type KeyDenial, type KeyRecord, keyDenial } from '@tollgate/domain/judge-key';
import type { KeyCache } from './key-cache.js';
import type { PresentedKey } from './presented-key.js';

export type DenialCode = Extract<
  ErrorCode,
  'missing_api_key' | 'malformed_api_key' | 'invalid_api_key' | 'revoked_api_key' | 'expired_api_key' | 'organization_suspended'
>;

export type Decision = { kind: 'allowed'; key: KeyRecord; isInAuthorization: boolean } | { kind: 'denied'; code: DenialCode };

const CODE_OF: Record<KeyDenial, DenialCode> = {
  'revoked-key': 'revoked_api_key',
  'expired-key': 'expired_api_key',
  'inactive-organization': 'organization_suspended',
};

/** Whether the caller may pass. A promise only where the key must be looked up; it rejects where nobody can tell. */
export function authorize(presented: PresentedKey, keys: KeyCache, nowMs: number): Decision | Promise<Decision> {
  if (presented.kind === 'missing') return { kind: 'denied', code: 'missing_api_key' };
  if (presented.kind === 'malformed') return { kind: 'denied', code: 'malformed_api_key' };
  const { isInAuthorization } = presented;
  const found = keys.find(hashApiKey(presented.secret), nowMs);
  if (found instanceof Promise) return found.then((key) => judge(key, isInAuthorization, nowMs));
  return judge(found, isInAuthorization, nowMs);
}

function judge(key: KeyRecord | undefined, isInAuthorization: boolean, nowMs: number): Decision {
  if (key === undefined) return { kind: 'denied', code: 'invalid_api_key' };
  const denial = keyDenial(key, nowMs);
  if (denial !== undefined) return { kind: 'denied', code: CODE_OF[denial] };
  return { kind: 'allowed', key, isInAuthorization };
}
