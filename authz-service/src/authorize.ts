import { hashApiKey } from '@tollgate/domain/api-key';
import type { ErrorCode } from '@tollgate/domain/error-code';
import { type KeyRecord, keyDenial } from '@tollgate/domain/judge-key';
import { demandedScopes, missingScopes } from '@tollgate/domain/scope';
import type { KeyCache } from './key-cache.js';
import type { PresentedKey } from './presented-key.js';

export type DenialCode = Extract<
  ErrorCode,
  | 'missing_api_key'
  | 'malformed_api_key'
  | 'invalid_api_key'
  | 'revoked_api_key'
  | 'expired_api_key'
  | 'organization_suspended'
  | 'insufficient_scope'
>;

export type Decision =
  | { kind: 'allowed'; key: KeyRecord; isInAuthorization: boolean }
  | { kind: 'denied'; code: Exclude<DenialCode, 'insufficient_scope'> }
  /** `missing` is empty where what the route demands is malformed, so that no key has it. */
  | { kind: 'denied'; code: 'insufficient_scope'; missing: readonly string[] };

/**
 * Whether the caller may pass. A promise only where the key must be looked up; it rejects where nobody can tell. `demand`
 * is what the route's configuration says of scopes.
 */
export function authorize(presented: PresentedKey, keys: KeyCache, nowMs: number, demand = ''): Decision | Promise<Decision> {
  if (presented.kind === 'missing') return { kind: 'denied', code: 'missing_api_key' };
  if (presented.kind === 'malformed') return { kind: 'denied', code: 'malformed_api_key' };
  const { isInAuthorization } = presented;
  const found = keys.find(hashApiKey(presented.secret), nowMs);
  if (found instanceof Promise) return found.then((key) => judge(key, isInAuthorization, nowMs, demand));
  return judge(found, isInAuthorization, nowMs, demand);
}

function judge(key: KeyRecord | undefined, isInAuthorization: boolean, nowMs: number, demand: string): Decision {
  if (key === undefined) return { kind: 'denied', code: 'invalid_api_key' };
  const denial = keyDenial(key, nowMs);
  if (denial !== undefined) return { kind: 'denied', code: denial };
  const missing = lackingScopes(key, demand);
  if (missing !== undefined) return { kind: 'denied', code: 'insufficient_scope', missing };
  return { kind: 'allowed', key, isInAuthorization };
}

function lackingScopes(key: KeyRecord, demand: string): readonly string[] | undefined {
  if (demand === '') return undefined;
  const demanded = demandedScopes(demand);
  if (demanded === undefined) return [];
  const missing = missingScopes(key.scopes, demanded);
  return missing.length > 0 ? missing : undefined;
}
