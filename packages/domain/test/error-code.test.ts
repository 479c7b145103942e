import { ERRORS, type ErrorCode, errorBody, insufficientScopeBody } from '@tollgate/domain/error-code';
import { expect, test } from 'vitest';

const NOW = new Date('2026-11-23T09:59:48.123Z');
const CODES = Object.keys(ERRORS) as ErrorCode[];

/** What callers build upon: a code never gets another status. */
const STATUSES: Record<ErrorCode, number> = {
  missing_api_key: 401,
  malformed_api_key: 401,
  invalid_api_key: 403,
  revoked_api_key: 403,
  expired_api_key: 403,
  organization_suspended: 403,
  insufficient_scope: 403,
  rate_limit_exceeded: 429,
  quota_exceeded: 429,
  authorization_unavailable: 503,
  upstream_unavailable: 503,
  upstream_timeout: 504,
  bad_request: 400,
  route_not_found: 404,
  payload_too_large: 413,
  headers_too_large: 431,
  gateway_error: 500,
};

test('every code has its status', () => {
  expect(Object.fromEntries(CODES.map((code) => [code, ERRORS[code].status]))).toEqual(STATUSES);
});

test.each(CODES)('%s is snake_case, with a sentence for a person', (code) => {
  expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
  expect(ERRORS[code].message).toMatch(/^[A-Z].{10,}\.$/);
});

test('an error has the one shape, and details only where there are some', () => {
  expect(errorBody('invalid_api_key', 'r-1', NOW)).toEqual({
    error: { code: 'invalid_api_key', message: 'This API key does not exist.' },
    timestamp: '2026-11-23T09:59:48.123Z',
    request_id: 'r-1',
  });
  expect(Object.keys(errorBody('invalid_api_key', 'r-1', NOW).error)).toEqual(['code', 'message']);
  const details = { limit_type: 'minute', limit: 100, remaining: 0 };
  expect(errorBody('rate_limit_exceeded', 'r-1', NOW, details).error).toEqual({
    code: 'rate_limit_exceeded',
    message: ERRORS.rate_limit_exceeded.message,
    details,
  });
});

test('a key that lacks scopes is told which', () => {
  expect(insufficientScopeBody(['orders:read'], 'r-1', NOW)).toMatchObject({
    error: {
      code: 'insufficient_scope',
      message: 'This API key lacks the scope orders:read, which the route demands.',
      details: { missing: ['orders:read'] },
    },
    request_id: 'r-1',
  });
  expect(insufficientScopeBody(['a', 'b'], null, NOW).error.message).toContain('the scopes a, b, which');
  expect(insufficientScopeBody([], null, NOW).error.message).toBe(ERRORS.insufficient_scope.message);
});

test('the request id is null, and not left out, where no request was parsed', () => {
  expect(JSON.parse(JSON.stringify(errorBody('bad_request', null, NOW)))).toHaveProperty('request_id', null);
});

test('what was parsed from a request id of a stranger stays data in the JSON', () => {
  const hostile = '"},{"x":"\n\u2028';
  expect(JSON.parse(JSON.stringify(errorBody('bad_request', hostile, NOW)))).toHaveProperty('request_id', hostile);
});
