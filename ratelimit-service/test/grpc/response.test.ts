import type { Decision, WindowState } from '@tollgate/limit-store/decide';
import { envoyPath } from '@tollgate/testing/envoy';
import { decodeWith, envoyDescriptors } from '@tollgate/testing/envoy-protos';
import type protobuf from 'protobufjs';
import { beforeAll, expect, test } from 'vitest';
import { limitResponse, unlimitedResponse } from '../../src/grpc/response.js';
import { answerOf, CODE, UNIT } from '../envoy-client.js';

const now = new Date('2026-11-23T09:59:48.123Z');
const NOW_SECONDS = Math.floor(now.getTime() / 1000);
const minute: WindowState = { window: 'minute', limit: 100, remaining: 149, resetAt: NOW_SECONDS + 1 };
const day: WindowState = { window: 'day', limit: 10_000, remaining: 9_999, resetAt: NOW_SECONDS + 50_412 };
const month: WindowState = { window: 'month', limit: 200_000, remaining: 7, resetAt: NOW_SECONDS + 655_212 };
const allowed = { kind: 'allowed' as const, windows: [minute, day], isDegraded: false };
const trip = { window: 'minute', limit: 100, remaining: 0, retryAfter: 1, resetAt: NOW_SECONDS + 1 } as const;
let type: protobuf.Type;

beforeAll(async () => {
  type = envoyDescriptors(await envoyPath()).lookupType('envoy.service.ratelimit.v3.RateLimitResponse');
});

function answer(decision: Exclude<Decision, { kind: 'unlimited' }>, requestId: string | null = 'request-1') {
  return answerOf(decodeWith(type, limitResponse(decision, requestId, now)));
}

test('what passes carries the headers of each window, its own status and the mark of the limiter', () => {
  expect(answer(allowed)).toEqual({
    code: CODE.OK,
    statuses: [
      {
        code: CODE.OK,
        current_limit: { requests_per_unit: 100, unit: UNIT.MINUTE, name: 'minute' },
        limit_remaining: 149,
        duration_until_reset: { seconds: 1 },
      },
    ],
    headers: {
      'X-RateLimit-Limit-Minute': '100',
      'X-RateLimit-Remaining-Minute': '149',
      'X-RateLimit-Reset-Minute': String(NOW_SECONDS + 1),
      'X-RateLimit-Limit-Day': '10000',
      'X-RateLimit-Remaining-Day': '9999',
      'X-RateLimit-Reset-Day': String(NOW_SECONDS + 50_412),
    },
    body: '',
    metadata: { decision: 'allowed' },
  });
});

test('a month is shown where there is one, and the window with the least left is the status', () => {
  const { headers, statuses } = answer({ ...allowed, windows: [minute, day, month] });
  expect(headers).toMatchObject({ 'X-RateLimit-Limit-Month': '200000', 'X-RateLimit-Remaining-Month': '7' });
  expect(statuses).toMatchObject([{ current_limit: { unit: UNIT.MONTH }, limit_remaining: 7 }]);
});

test('an answer without the store says so in a header', () => {
  expect(answer({ ...allowed, isDegraded: true }).headers).toMatchObject({ 'X-RateLimit-Degraded': 'true' });
  expect(answer(allowed).headers).not.toHaveProperty('X-RateLimit-Degraded');
});

test('what is over a limit gets its code, the headers, Retry-After and a body of JSON', () => {
  const windows = [{ ...minute, remaining: 0 }, day];
  const { code, headers, body, metadata } = answer({ kind: 'limited', windows, isDegraded: false, trip });
  expect(code).toBe(CODE.OVER_LIMIT);
  expect(metadata).toEqual({ decision: 'limited', limit: 'minute' });
  expect(headers).toMatchObject({
    'X-RateLimit-Remaining-Minute': '0',
    'X-RateLimit-Remaining-Day': '9999',
    'Retry-After': '1',
    'content-type': 'application/json',
  });
  expect(JSON.parse(body)).toEqual({
    error: {
      code: 'rate_limit_exceeded',
      message: expect.any(String),
      details: { limit_type: 'minute', limit: 100, remaining: 0, reset_at: '2026-11-23T09:59:49Z', retry_after: 1 },
    },
    timestamp: '2026-11-23T09:59:48.123Z',
    request_id: 'request-1',
  });
});

test.each(['day', 'month'] as const)('a %s that is used up is a quota', (window) => {
  const limited = answer({ kind: 'limited', windows: [day], isDegraded: false, trip: { ...trip, window } }, null);
  const { error } = JSON.parse(limited.body) as { error: object };
  expect(error).toMatchObject({ code: 'quota_exceeded', details: { limit_type: window } });
});

test('a cost that never fits has no Retry-After, in the header and in the body', () => {
  const never = { ...trip, retryAfter: undefined };
  const { headers, body } = answer({ kind: 'limited', windows: [minute], isDegraded: false, trip: never });
  expect(headers).not.toHaveProperty('Retry-After');
  expect(body).not.toContain('retry_after');
});

test.each(['minute', 'day', 'month'] as const)(
  'a %s in shadow lets through, and says so in a header and to the usage stream',
  (window) => {
    const shadowed = answer({ kind: 'shadow', windows: [minute, day], isDegraded: false, trip: { ...trip, window } });
    expect(shadowed).toMatchObject({
      code: CODE.OK,
      statuses: [{ code: CODE.OK }],
      headers: { 'X-RateLimit-Shadow': window, 'X-RateLimit-Limit-Minute': '100' },
      body: '',
      metadata: { decision: 'shadow', limit: window },
    });
    expect(shadowed.headers).not.toHaveProperty('Retry-After');
  },
);

test('callers are told in the words of the IETF’s draft where that is set, of a month with its own length', () => {
  // From the last day of January to the last of February; the reset of the test's month.
  const february = { ...month, resetAt: Date.UTC(2027, 1, 28) / 1000, anchorDay: 31 };
  const decision = { ...allowed, windows: [minute, day, february] };
  const said = (form: 'x-ratelimit' | 'ietf' | 'both') =>
    answerOf(decodeWith(type, limitResponse(decision, null, now, form))).headers;
  expect(said('ietf')).toEqual({
    'RateLimit-Policy': '"minute";q=100;w=60, "day";q=10000;w=86400, "month";q=200000;w=2419200',
    RateLimit: `"minute";r=149;t=1, "day";r=9999;t=50412, "month";r=7;t=${february.resetAt - NOW_SECONDS}`,
  });
  expect(said('both')).toEqual({ ...said('ietf'), ...said('x-ratelimit') });
  expect(said('x-ratelimit')).not.toHaveProperty('RateLimit');
});

test('a denial is told in them too, and our own marks stay', () => {
  const denied = { kind: 'limited' as const, windows: [{ ...minute, remaining: 0 }], isDegraded: true, trip };
  const { headers, body } = answerOf(decodeWith(type, limitResponse(denied, null, now, 'ietf')));
  expect(headers).toEqual({
    'RateLimit-Policy': '"minute";q=100;w=60',
    RateLimit: '"minute";r=0;t=1',
    'X-RateLimit-Degraded': 'true',
    'content-type': 'application/json',
    'Retry-After': '1',
  });
  expect(JSON.parse(body)).toMatchObject({ error: { code: 'rate_limit_exceeded' } });
});

test('limits beyond 32 bits are shown whole in the headers, and as the most that fits in the status', () => {
  const vast = { ...day, limit: 10 ** 12, remaining: 10 ** 12 - 1 };
  const { headers, statuses } = answer({ ...allowed, windows: [vast] });
  expect(headers).toMatchObject({ 'X-RateLimit-Limit-Day': '1000000000000', 'X-RateLimit-Remaining-Day': '999999999999' });
  expect(statuses).toMatchObject([{ current_limit: { requests_per_unit: 0xffffffff }, limit_remaining: 0xffffffff }]);
});

test('what is not limited passes with one status for each descriptor, and is marked all the same', () => {
  const decoded = answerOf(decodeWith(type, unlimitedResponse(2)));
  expect(decoded).toEqual({
    code: CODE.OK,
    statuses: [{ code: CODE.OK }, { code: CODE.OK }],
    headers: {},
    body: '',
    metadata: { decision: 'unlimited' },
  });
});
