import { generateApiKey } from '@tollgate/domain/api-key';
import { until } from '@tollgate/testing/until';
import { beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from './gateway.js';
import type { Answer } from './http-client.js';
import { type Operator, operate } from './operator.js';

/** Promised: from the return of the command to the last request that passes. */
const CHANGE_DEADLINE_MS = 1_000;

let gateway: Gateway;
let operator: Operator;

beforeAll(async () => {
  gateway = await startGateway();
  operator = operate(gateway);
  return async () => {
    await operator.close();
    await gateway.close();
  };
});

const withKey = (secret: string): Promise<Answer> => gateway.ask('/x', { headers: { 'x-api-key': secret } });

/** Exactly the one shape of every error of ours: nothing less, and nothing more that could tell on us. */
function expectError(answer: Answer, status: number, code: string): void {
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toBe('application/json');
  expect(JSON.parse(answer.body)).toEqual({
    error: { code, message: expect.stringMatching(/^[A-Z].*\.$/) },
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    request_id: answer.headers['x-request-id'],
  });
  expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
}

test('a key opens the gateway in X-API-Key, as a Bearer, and alone in Authorization', async () => {
  const { apiKey } = gateway;
  const headersThatOpen = [
    { 'X-API-Key': apiKey },
    { authorization: `Bearer ${apiKey}` },
    { authorization: `bearer ${apiKey}` },
    { authorization: apiKey },
    { 'x-api-key': apiKey, authorization: `Bearer ${apiKey}` },
  ];
  for (const headers of headersThatOpen) expect((await gateway.ask('/x', { headers })).status).toBe(200);
});

test('a request without a key is told how to send one', async () => {
  for (const headers of [{}, { 'x-api-key': '' }, { authorization: 'Basic dXNlcjpwYXNz' }]) {
    const answer = await gateway.ask('/x', { headers });
    expectError(answer, 401, 'missing_api_key');
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  }
});

test('a key with a typo, or of another shape, is malformed and not unknown', async () => {
  const { apiKey } = gateway;
  const last = apiKey.at(-1) === 'a' ? 'b' : 'a';
  const malformed = [
    `${apiKey.slice(0, -1)}${last}`,
    apiKey.slice(0, -1),
    `${apiKey}a`,
    apiKey.toUpperCase(),
    apiKey.replace('live', 'prod'),
    'hello',
    `${apiKey},${apiKey}`,
  ];
  for (const key of malformed) {
    const answer = await withKey(key);
    expectError(answer, 401, 'malformed_api_key');
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  }
});

test('two different keys in one request are refused, whichever headers they come in', async () => {
  const other = await operator.newcomer();
  const pairs = [
    ['X-API-Key', gateway.apiKey, 'Authorization', `Bearer ${other.secret}`],
    ['X-API-Key', gateway.apiKey, 'X-API-Key', other.secret],
    ['Authorization', `Bearer ${gateway.apiKey}`, 'Authorization', `Bearer ${other.secret}`],
  ];
  for (const headers of pairs) {
    expectError(await gateway.ask('/x', { headers: ['Host', 'gateway', ...headers] }), 401, 'malformed_api_key');
  }
});

test('a key that was never made is unknown', async () => {
  expectError(await withKey(generateApiKey('live')), 403, 'invalid_api_key');
  expectError(await withKey(generateApiKey('test')), 403, 'invalid_api_key');
});

test('a key that was tried before it was made works within a second of its making', async () => {
  const secret = generateApiKey('live');
  expectError(await withKey(secret), 403, 'invalid_api_key');
  await operator.importKey(await operator.createOrganization(), secret);
  await until(async () => (await withKey(secret)).status === 200, CHANGE_DEADLINE_MS, 'the new key');
});

test('a revoked key is denied within a second, and for good', async () => {
  const { secret, keyId } = await operator.newcomer();
  expect((await withKey(secret)).status).toBe(200);
  await operator.tollgate('key', 'revoke', keyId);
  const answer = await until(
    async () => {
      const next = await withKey(secret);
      return next.status !== 200 && next;
    },
    CHANGE_DEADLINE_MS,
    'the revocation',
  );
  expectError(answer, 403, 'revoked_api_key');
  const later = await Promise.all(Array.from({ length: 20 }, () => withKey(secret)));
  expect(new Set(later.map(({ status }) => status))).toEqual(new Set([403]));
});

test('revoking one key of an organization leaves its other keys alone', async () => {
  const { secret, keyId, organizationId } = await operator.newcomer();
  const other = await operator.createKey(organizationId);
  await operator.tollgate('key', 'revoke', keyId);
  await until(async () => (await withKey(secret)).status === 403, CHANGE_DEADLINE_MS, 'the revocation');
  expect((await withKey(other.secret)).status).toBe(200);
});

test('a key ends at the time that it was made for', async () => {
  const expiresAt = new Date(Date.now() + 1_500);
  const { secret } = await operator.createKey(await operator.createOrganization(), { expiresAt });
  const answer = await until(
    async () => {
      const next = await withKey(secret);
      return next.status !== 200 && next;
    },
    10_000,
    'the expiry',
  );
  expectError(answer, 403, 'expired_api_key');
  expect(answer.atMs).toBeGreaterThanOrEqual(expiresAt.getTime());
  expect(answer.atMs).toBeLessThan(expiresAt.getTime() + CHANGE_DEADLINE_MS);
});

test('a suspended organization is denied within a second with all its keys, and served again within a second of its return', async () => {
  const { secret, organizationId } = await operator.newcomer();
  const other = await operator.createKey(organizationId);
  const statuses = async () => [(await withKey(secret)).status, (await withKey(other.secret)).status].join();
  expect(await statuses()).toBe('200,200');
  await operator.tollgate('org', 'suspend', organizationId);
  await until(async () => (await statuses()) === '403,403', CHANGE_DEADLINE_MS, 'the suspension');
  expectError(await withKey(secret), 403, 'organization_suspended');
  await operator.tollgate('org', 'resume', organizationId);
  await until(async () => (await statuses()) === '200,200', CHANGE_DEADLINE_MS, 'the return');
});
