/** Every error that a caller of the gateway can meet, with its HTTP status and its words. */
export const ERRORS = {
  missing_api_key: { status: 401, message: 'No API key was sent. Send it as "X-API-Key: sk_…" or "Authorization: Bearer sk_…".' },
  malformed_api_key: { status: 401, message: 'The API key is malformed. Check that it was copied whole and sent once.' },
  invalid_api_key: { status: 403, message: 'This API key does not exist.' },
  revoked_api_key: { status: 403, message: 'This API key was revoked.' },
  expired_api_key: { status: 403, message: 'This API key has expired.' },
  organization_suspended: { status: 403, message: 'The organization of this API key is suspended.' },
  insufficient_scope: { status: 403, message: 'This API key lacks a scope that the route demands.' },
  rate_limit_exceeded: { status: 429, message: 'Too many requests: the rate limit of this minute is used up.' },
  quota_exceeded: { status: 429, message: 'The quota of this period is used up.' },
  authorization_unavailable: {
    status: 503,
    message: 'The gateway cannot decide about this API key right now. Try again shortly.',
  },
  upstream_unavailable: { status: 503, message: 'The API behind the gateway cannot be reached.' },
  upstream_timeout: { status: 504, message: 'The API behind the gateway did not answer in time.' },
  bad_request: { status: 400, message: 'The gateway refused this request as malformed.' },
  route_not_found: { status: 404, message: 'No route of this gateway matches the request.' },
  payload_too_large: { status: 413, message: 'The request body is too large.' },
  headers_too_large: { status: 431, message: 'The request headers are too large.' },
  gateway_error: { status: 500, message: 'The gateway failed to handle this request.' },
} as const;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorBody {
  error: { code: ErrorCode; message: string; details?: Record<string, unknown> };
  timestamp: string;
  request_id: string | null;
}

/** The one JSON shape of every error that a caller sees. */
export function errorBody(code: ErrorCode, requestId: string | null, now: Date, details?: Record<string, unknown>): ErrorBody {
  return bodyOf(code, ERRORS[code].message, requestId, now, details);
}

/** The error of a key that lacks scopes: it names them, so that the caller knows what to ask for. */
export function insufficientScopeBody(missing: readonly string[], requestId: string | null, now: Date): ErrorBody {
  const words = missing.length === 1 ? `the scope ${missing[0]}` : `the scopes ${missing.join(', ')}`;
  const message =
    missing.length === 0 ? ERRORS.insufficient_scope.message : `This API key lacks ${words}, which the route demands.`;
  return bodyOf('insufficient_scope', message, requestId, now, { missing });
}

/** The error of a limit that is not an organization's; `unit` is a word such as hour. */
export function rateLimitedBody(unit: string, requestId: string | null, now: Date, details: Record<string, unknown>): ErrorBody {
  const message = `Too many requests: the rate limit of this ${unit} is used up.`;
  return bodyOf('rate_limit_exceeded', message, requestId, now, details);
}

function bodyOf(
  code: ErrorCode,
  message: string,
  requestId: string | null,
  now: Date,
  details: Record<string, unknown> | undefined,
): ErrorBody {
  return {
    error: details === undefined ? { code, message } : { code, message, details },
    timestamp: now.toISOString(),
    request_id: requestId,
  };
}
