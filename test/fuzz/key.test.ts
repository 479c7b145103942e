import { authorize } from '@tollgate/authz-service/authorize';
import { extAuthz } from '@tollgate/authz-service/grpc/ext-authz';
import { presentedKey } from '@tollgate/authz-service/presented-key';
import { apiKeyEnvironment, hashApiKey } from '@tollgate/domain/api-key';
import { couldBeForeignKey } from '@tollgate/domain/foreign-key';
import type { KeyRecord } from '@tollgate/domain/judge-key';
import { CheckRequest, CheckResponse } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import { GRPC_STATUS, GrpcError } from '@tollgate/service-kit/grpc';
import { expect } from 'vitest';
import { fuzz } from './fuzz.js';
import { mutated, mutatedText } from './mutate.js';
import type { Random } from './random.js';

// Always the same, or a seed would not bring the same inputs again.
const KEY = 'sk_live_0123456789abcdefghijklmnopxw54ll';
const OTHER = 'sk_test_ponmlkjihgfedcba9876543210y78bgn';
const FOREIGN = 'AKIA.0123456789-abcdef';
const HEADERS = [
  KEY,
  `Bearer ${KEY}`,
  `bearer\t${KEY}`,
  `${KEY},${OTHER}`,
  'Basic dXNlcjpzaw==',
  `Token a, Bearer ${KEY}`,
  FOREIGN,
  '',
];
const WORDS = [
  KEY,
  OTHER,
  'Bearer ',
  'sk_live_',
  'sk_test_',
  ',',
  '\t',
  '\0',
  'x-api-key',
  'authorization',
  'scope',
  ' '.repeat(200),
  '%',
];
const TEXT = { others: HEADERS, words: WORDS };

function anyHeader(random: Random): string | undefined {
  return random.chance(0.2) ? undefined : mutatedText(random.pick(HEADERS), TEXT, random);
}

fuzz('the key that a caller presents', (random) => {
  const [apiKeyHeader, authorization] = [anyHeader(random), anyHeader(random)];
  const acceptsForeignKeys = random.chance(0.3);
  const presented = presentedKey(apiKeyHeader, authorization, acceptsForeignKeys);
  if (presented.kind !== 'key') return;
  const { secret, isInAuthorization } = presented;
  expect(apiKeyEnvironment(secret) !== undefined || (acceptsForeignKeys && couldBeForeignKey(secret))).toBe(true);
  expect(secret).not.toContain(',');
  expect([apiKeyHeader, authorization?.replace(/^\s*(bearer\s+)?/i, '')]).toContain(secret);
  // What stays in Authorization must hold no key that the upstream would get.
  if (!isInAuthorization) expect(authorization ?? '').not.toMatch(/^\s*(bearer\s+)?sk_/i);
});

const RECORD: KeyRecord = {
  id: '018f3a2e-0000-7000-8000-000000000002',
  organizationId: '018f3a2e-0000-7000-8000-000000000001',
  environment: 'live',
  scopes: ['orders:*'],
  plan: 'basic',
  organizationIsActive: true,
  expiresAtMs: undefined,
  revokedAtMs: undefined,
};
const KEY_HASH = hashApiKey(KEY);
const BROKEN_HASH = hashApiKey(OTHER);

const keys = {
  find(hash: string) {
    if (hash === KEY_HASH) return RECORD;
    if (hash === BROKEN_HASH) return Promise.reject(new Error('the database is away'));
    return Promise.resolve(undefined);
  },
};

const check = extAuthz({
  authorize: (presented, nowMs, demand) => authorize(presented, keys, nowMs, demand),
  now: () => 1_795_427_988_000,
  shedder: { hasRoom: () => true, tryEnter: () => true, leave: () => {}, close: () => {} },
  onDecision: () => {},
});

const HEADER_SETS: readonly Record<string, string>[] = [
  { 'x-api-key': KEY },
  { authorization: `Bearer ${KEY}` },
  { 'x-api-key': KEY, authorization: 'Basic abc' },
  { 'x-api-key': OTHER },
  {},
];
const CHECKS = HEADER_SETS.flatMap((headers) => ['', 'orders:read', 'admin'].map((scope) => checkBytes(headers, scope)));

function checkBytes(headers: Record<string, string>, scope: string): Uint8Array {
  const empty = CheckRequest.decode(new Uint8Array());
  return CheckRequest.encode({
    ...empty,
    attributes: { request: { http: { headers } }, contextExtensions: { scope } },
  } as unknown as CheckRequest).finish();
}

fuzz('a CheckRequest', async (random) => {
  const bytes = mutated(
    random.chance(0.5)
      ? random.pick(CHECKS)
      : checkBytes({ 'x-api-key': anyHeader(random) ?? '', authorization: anyHeader(random) ?? '' }, ''),
    { others: CHECKS, words: WORDS },
    random,
  );
  const answer = await answered(bytes, random);
  if (answer === undefined) return;
  const { status, httpResponse } = CheckResponse.decode(answer);
  const kind = httpResponse?.$case;
  expect([0, 7, 14]).toContain(status?.code);
  expect(kind).toBe({ 0: 'okResponse', 7: 'deniedResponse', 14: 'errorResponse' }[status?.code ?? -1]);
  // Whoever may pass has sent the one key that there is.
  if (kind === 'okResponse') expect(Buffer.from(bytes).includes(KEY)).toBe(true);
  expect(Buffer.from(answer).includes(KEY.slice(8)) && !demandOf(bytes).includes(KEY.slice(8))).toBe(false);
});

/** The route's own text, not the caller's: a demand that a key does not meet is named in the answer. */
function demandOf(bytes: Buffer): string {
  return CheckRequest.decode(bytes).attributes?.contextExtensions['scope'] ?? '';
}

/** Undefined where the message is refused as none. */
async function answered(bytes: Buffer, random: Random): Promise<Uint8Array | undefined> {
  if (check.kind !== 'unary') throw new Error('not a unary method');
  const requestId = random.chance(0.5) ? undefined : random.bytes(20).toString('latin1');
  try {
    return await check.answer(bytes, { header: () => requestId });
  } catch (error) {
    if (error instanceof GrpcError && error.code === GRPC_STATUS.INVALID_ARGUMENT) return undefined;
    throw error;
  }
}
