import { ERRORS, errorBody, insufficientScopeBody } from '@tollgate/domain/error-code';
import type { KeyRecord } from '@tollgate/domain/judge-key';
import type { HeaderValueOption } from '@tollgate/protos/envoy/config/core/v3/base';
import { CheckResponse } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import type { Decision } from '../authorize.js';

const OK = 0;
const PERMISSION_DENIED = 7;
const UNAVAILABLE = 14;

/** The bytes of both answers that a key can get, made when they are first needed and gone with the key's record. */
interface AllowedBytes {
  keyInApiKeyHeader?: Uint8Array;
  keyInAuthorization?: Uint8Array;
}

const allowedBytes = new WeakMap<KeyRecord, AllowedBytes>();

/** The caller may pass: who it is, for the upstream and for the filters that follow. */
export function allowedResponse(key: KeyRecord, isInAuthorization: boolean): Uint8Array {
  let bytes = allowedBytes.get(key);
  if (bytes === undefined) {
    bytes = {};
    allowedBytes.set(key, bytes);
  }
  if (isInAuthorization) {
    bytes.keyInAuthorization ??= encodeAllowed(key, ['x-api-key', 'authorization']);
    return bytes.keyInAuthorization;
  }
  bytes.keyInApiKeyHeader ??= encodeAllowed(key, ['x-api-key']);
  return bytes.keyInApiKeyHeader;
}

type Denial = Extract<Decision, { kind: 'denied' }>;

/** The caller is refused with its reason. No metadata: without an organization it is not usage. */
export function deniedResponse(denial: Denial, requestId: string | null, now: Date): Uint8Array {
  const { status } = ERRORS[denial.code];
  const body =
    'missing' in denial ? insufficientScopeBody(denial.missing, requestId, now) : errorBody(denial.code, requestId, now);
  return CheckResponse.encode({
    status: { code: PERMISSION_DENIED, message: '' },
    httpResponse: {
      $case: 'deniedResponse',
      value: {
        status: { code: status },
        headers: status === 401 ? [JSON_TYPE, CHALLENGE] : [JSON_TYPE],
        body: JSON.stringify(body),
      },
    },
    dynamicMetadata: undefined,
  }).finish();
}

/**
 * "I cannot tell": not a denial, but an `error_response`, which Envoy's `failure_mode_allow: false` turns into this 503.
 * The wait is spread by `retryAfterSeconds`, so that callers do not come back together.
 */
export function unavailableResponse(requestId: string | null, now: Date, retryAfterSeconds: number): Uint8Array {
  const code = 'authorization_unavailable';
  return CheckResponse.encode({
    status: { code: UNAVAILABLE, message: '' },
    httpResponse: {
      $case: 'errorResponse',
      value: {
        status: { code: ERRORS[code].status },
        headers: [JSON_TYPE, header('retry-after', String(retryAfterSeconds))],
        body: JSON.stringify(errorBody(code, requestId, now)),
      },
    },
    dynamicMetadata: undefined,
  }).finish();
}

/** `headersToRemove` keeps the key from the upstream; an Authorization of the customer's own is not ours to remove. */
function encodeAllowed(key: KeyRecord, headersToRemove: string[]): Uint8Array {
  const encoded = CheckResponse.encode({
    status: { code: OK, message: '' },
    httpResponse: {
      $case: 'okResponse',
      value: {
        headers: [
          header('x-organization-id', key.organizationId),
          header('x-api-key-id', key.id),
          header('x-plan-tier', key.plan),
        ],
        headersToRemove,
        responseHeadersToAdd: [],
      },
    },
    // All of it reaches the access log: never the key.
    dynamicMetadata: {
      organization_id: key.organizationId,
      key_id: key.id,
      plan: key.plan,
      environment: key.environment,
    },
  }).finish();
  // A copy in Node's pool: as an ArrayBuffer of its own each cached key would take a third more memory.
  return Buffer.from(encoded);
}

/** `append: false` always: what an unset one does differs between Envoy's versions and between header lists. */
function header(key: string, value: string): HeaderValueOption {
  return { header: { key, value }, append: false };
}

/** Envoy replaces the body of an answer that names no content type. */
const JSON_TYPE = header('content-type', 'application/json');
const CHALLENGE = header('www-authenticate', 'Bearer');
