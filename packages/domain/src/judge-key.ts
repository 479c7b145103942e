import type { Environment } from './api-key.js';
import type { ErrorCode } from './error-code.js';

/** What deciding about a request needs to know of its key. Times are Unix milliseconds. */
export interface KeyRecord {
  id: string;
  organizationId: string;
  environment: Environment;
  scopes: readonly string[];
  plan: string;
  organizationIsActive: boolean;
  expiresAtMs: number | undefined;
  revokedAtMs: number | undefined;
}

/** As the gateway answers such a key. */
export type KeyDenial = Extract<ErrorCode, 'revoked_api_key' | 'expired_api_key' | 'organization_suspended'>;

/**
 * Why this key may not be used at this time, or undefined where it may. The one rule that authz, the CLI and
 * later an API share. A key's end is exclusive: at `expiresAtMs` itself it has expired.
 */
export function keyDenial(key: KeyRecord, nowMs: number): KeyDenial | undefined {
  if (key.revokedAtMs !== undefined && key.revokedAtMs <= nowMs) return 'revoked_api_key';
  if (key.expiresAtMs !== undefined && key.expiresAtMs <= nowMs) return 'expired_api_key';
  if (!key.organizationIsActive) return 'organization_suspended';
  return undefined;
}
