import { ERRORS, type ErrorCode } from '@tollgate/domain/error-code';
import { keyDenial } from '@tollgate/domain/judge-key';
import { missingScopes } from '@tollgate/domain/scope';
import { type Decision, LIMIT_ERROR } from '@tollgate/limit-store/decide';
import type { ApiKey } from '@tollgate/postgres/api-keys';
import type { Organization } from '@tollgate/postgres/organizations';
import type { Row } from './view.js';

/** What the gateway would answer. `code` is null where it lets the request through. */
export interface Authorization {
  code: ErrorCode | null;
  message: string;
  missingScopes: readonly string[];
}

/** What authz would say, by its own rules, to a request for a route that demands these scopes. */
export function authorizationOf(
  key: ApiKey,
  organization: Organization,
  demanded: readonly string[],
  nowMs: number,
): Authorization {
  const denial = keyDenial(
    {
      ...key,
      plan: organization.plan,
      organizationIsActive: organization.isActive,
      expiresAtMs: key.expiresAt?.getTime(),
      revokedAtMs: key.revokedAt?.getTime(),
    },
    nowMs,
  );
  const missing = missingScopes(key.scopes, demanded);
  const code = denial ?? (missing.length > 0 ? 'insufficient_scope' : null);
  const message = code === null ? 'The key is valid.' : ERRORS[code].message;
  return { code, message, missingScopes: missing };
}

/** What the next request would get: authz's denial, or what the limiter decides. The status is the upstream's own where null. */
export function nextRequestOf(authorization: Authorization, decision: Decision): Row {
  if (authorization.code !== null) {
    const { status } = ERRORS[authorization.code];
    return { decision: 'denied', status, code: authorization.code, limit: null, retry_after: null, why: authorization.message };
  }
  const passes = { status: null, code: null, limit: null, retry_after: null };
  switch (decision.kind) {
    case 'allowed':
      return { decision: 'allowed', ...passes, why: 'It fits every limit.' };
    case 'unlimited':
      return { decision: 'unlimited', ...passes, why: 'Nothing limits it.' };
    case 'shadow': {
      const { window, limit } = decision.trip;
      const why = `It passes, since the limit of ${limit} a ${window} that it exceeds is in shadow.`;
      return { decision: 'shadow', ...passes, limit: window, why };
    }
    case 'limited': {
      const { window, limit, remaining, retryAfter } = decision.trip;
      const code = LIMIT_ERROR[window];
      const when = retryAfter === undefined ? 'it costs more than the limit itself' : `it fits in ${retryAfter} s`;
      const why = `Of the limit of ${limit} a ${window}, ${remaining} are left; ${when}.`;
      return { decision: 'limited', status: ERRORS[code].status, code, limit: window, retry_after: retryAfter ?? null, why };
    }
  }
}
