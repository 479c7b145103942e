import type { Environment } from './api-key.js';

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

export type KeyDenial = 'revoked-key' | 'expired-key' | 'inactive-organization';

/**
 * Why this key may not be used at this time, or undefined where it may. The one rule that authz, the CLI and
 * later an API share. A key's end is exclusive: at `expiresAtMs` itself it has expired.
 */
export function keyDenial(key: KeyRecord, nowMs: number): KeyDenial | undefined {
  if (key.revokedAtMs !== undefined && key.revokedAtMs <= nowMs) return 'revoked-key';
  if (key.expiresAtMs !== undefined && key.expiresAtMs <= nowMs) return 'expired-key';
  if (!key.organizationIsActive) return 'inactive-organization';
  return undefined;
}
