import { ERRORS } from '@tollgate/domain/error-code';
import { envoyPath } from '@tollgate/testing/envoy';
import { decodeWith, envoyDescriptors } from '@tollgate/testing/envoy-protos';
import type protobuf from 'protobufjs';
import { beforeAll, expect, test } from 'vitest';
import { allowedResponse, deniedResponse, unavailableResponse } from '../../src/grpc/check-response.js';
import { aKey } from '../a-key.js';

const now = new Date('2026-11-23T09:59:48.123Z');
const key = aKey();
let type: protobuf.Type;

beforeAll(async () => {
  type = envoyDescriptors(await envoyPath()).lookupType('envoy.service.auth.v3.CheckResponse');
});

/** A header as it arrives where `append: false` was really sent: a wrapper that is there, and whose value is the default. */
function overwriting(name: string, value: string) {
  return { header: { key: name, value }, append: {} };
}

test('who passes is told to the upstream, over whatever the client sent, and to the filters that follow', () => {
  expect(decodeWith(type, allowedResponse(key, false))).toEqual({
    status: {},
    ok_response: {
      headers: [
        overwriting('x-organization-id', key.organizationId),
        overwriting('x-api-key-id', key.id),
        overwriting('x-plan-tier', 'premium'),
      ],
      headers_to_remove: ['x-api-key'],
    },
    dynamic_metadata: {
      fields: {
        organization_id: { string_value: key.organizationId },
        key_id: { string_value: key.id },
        plan: { string_value: 'premium' },
        environment: { string_value: 'live' },
      },
    },
  });
});

test('Authorization is removed only where it carried the key', () => {
  const removed = (isInAuthorization: boolean) => decodeWith(type, allowedResponse(key, isInAuthorization))['ok_response'];
  expect(removed(true)).toMatchObject({ headers_to_remove: ['x-api-key', 'authorization'] });
  expect(removed(false)).toMatchObject({ headers_to_remove: ['x-api-key'] });
});

test('an answer is encoded once for each record of a key and each header, and anew when the record is', () => {
  expect(allowedResponse(key, false)).toBe(allowedResponse(key, false));
  expect(allowedResponse(key, true)).toBe(allowedResponse(key, true));
  expect(allowedResponse(key, true)).not.toBe(allowedResponse(key, false));
  const changed = decodeWith(type, allowedResponse({ ...key, plan: 'basic' }, false));
  expect(changed['ok_response']).toMatchObject({ headers: expect.arrayContaining([overwriting('x-plan-tier', 'basic')]) });
});

test.each([
  ['missing_api_key', 401],
  ['malformed_api_key', 401],
  ['invalid_api_key', 403],
  ['revoked_api_key', 403],
  ['expired_api_key', 403],
  ['organization_suspended', 403],
] as const)('%s is %i with a JSON body, and carries no metadata', (code, status) => {
  const json = overwriting('content-type', 'application/json');
  const challenge = overwriting('www-authenticate', 'Bearer');
  expect(decodeWith(type, deniedResponse({ kind: 'denied', code }, 'request-1', now))).toEqual({
    status: { code: 7 },
    denied_response: {
      status: { code: status },
      headers: status === 401 ? [json, challenge] : [json],
      body: JSON.stringify({
        error: { code, message: ERRORS[code].message },
        timestamp: '2026-11-23T09:59:48.123Z',
        request_id: 'request-1',
      }),
    },
  });
});

test('a key that lacks scopes is told which', () => {
  const denial = { kind: 'denied', code: 'insufficient_scope', missing: ['orders:read', 'orders:write'] } as const;
  const decoded = decodeWith(type, deniedResponse(denial, 'request-1', now));
  const { status, body } = decoded['denied_response'] as { status: unknown; body: string };
  expect(status).toEqual({ code: 403 });
  expect(JSON.parse(body)).toMatchObject({
    error: { code: 'insufficient_scope', message: expect.stringContaining('orders:write'), details: { missing: denial.missing } },
  });
});

test('"I cannot tell" is an error_response, which no version of Envoy takes for a denial of the key', () => {
  const decoded = decodeWith(type, unavailableResponse(null, now, 2));
  expect(decoded).toEqual({
    status: { code: 14 },
    error_response: {
      status: { code: 503 },
      headers: [overwriting('content-type', 'application/json'), overwriting('retry-after', '2')],
      body: expect.stringContaining('"code":"authorization_unavailable"'),
    },
  });
  const { body } = decoded['error_response'] as { body: string };
  expect(JSON.parse(body)).toMatchObject({ request_id: null });
});
