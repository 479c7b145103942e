import type { ErrorCode } from '@tollgate/domain/error-code';
import type { KeyDenial } from '@tollgate/domain/judge-key';

/** As the gateway answers such a key. */
export const DENIAL_CODES: Record<KeyDenial, ErrorCode> = {
  'revoked-key': 'revoked_api_key',
  'expired-key': 'expired_api_key',
  'inactive-organization': 'organization_suspended',
};
