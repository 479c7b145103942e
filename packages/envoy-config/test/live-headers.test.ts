import { afterAll, beforeAll, expect, test } from 'vitest';
import { GOOD_KEY } from './fake-services.js';
import { startWorld, WITH_KEY, type World } from './live-world.js';

let world: World;
let gateway: World['gateway'];
let services: World['services'];
let received: World['received'];

beforeAll(async () => {
  world = await startWorld();
  ({ gateway, services, received } = world);
});

afterAll(() => world.close());

test('a client cannot name its own organization, on any route', async () => {
  const lies = {
    'X-Organization-ID': 'evil',
    'x-api-key-id': ['evil', 'worse'],
    'X-Plan-Tier': 'evil',
    'x-tollgate-anything': 'evil',
  };
  await gateway.ask('/v1/who', { headers: { ...WITH_KEY, ...lies } });
  await gateway.ask('/open/who', { headers: lies });
  expect(received('/v1/who')).toMatchObject({ 'x-organization-id': 'org-1', 'x-api-key-id': 'key-1', 'x-plan-tier': 'basic' });
  expect(JSON.stringify([received('/v1/who'), received('/open/who')])).not.toMatch(/evil|worse/);
});

test('X-Request-ID is always ours, and the one that the caller sent reaches the upstream as X-Client-Request-ID', async () => {
  const answer = await gateway.ask('/v1/ids', {
    headers: { ...WITH_KEY, 'x-request-id': 'mine-1', 'x-client-request-id': 'other' },
  });
  const headers = received('/v1/ids');
  expect(headers['x-client-request-id']).toBe('mine-1');
  expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  expect(answer.headers['x-request-id']).toBe(headers['x-request-id']);
});

test('without a X-Request-ID of the caller there is no X-Client-Request-ID, not even one that it sent', async () => {
  await gateway.ask('/v1/no-ids', { headers: { ...WITH_KEY, 'x-client-request-id': 'other' } });
  expect(received('/v1/no-ids')).not.toHaveProperty('x-client-request-id');
});

test('both services can name the request in their messages', async () => {
  const answer = await gateway.ask('/v1/x', { headers: WITH_KEY });
  expect(services.checks.at(-1)?.requestId).toBe(answer.headers['x-request-id']);
  expect(services.limitCalls.at(-1)?.requestId).toBe(answer.headers['x-request-id']);
});

test('authz sees the two headers that may hold a key, and no other', async () => {
  await gateway.ask('/v1/orders/1', {
    headers: { ...WITH_KEY, authorization: 'Basic x', cookie: 'secret', 'user-agent': 'test' },
  });
  const request = services.checks.at(-1)?.request;
  expect(new Set(Object.keys(request?.attributes?.request?.http?.headers ?? {}).filter((name) => !name.startsWith(':')))).toEqual(
    new Set(['authorization', 'x-api-key']),
  );
  expect(request?.attributes?.contextExtensions).toEqual({ scope: 'orders:read' });
});

test('a scope guards whole path segments, however the path is spelt', async () => {
  const scopeOf = async (path: string) => {
    await gateway.ask(path, { headers: WITH_KEY });
    return services.checks.at(-1)?.request.attributes?.contextExtensions['scope'];
  };
  expect(await scopeOf('/v1/orders')).toBe('orders:read');
  expect(await scopeOf('/v1//orders/1')).toBe('orders:read');
  expect(await scopeOf('/v1/x/../orders/1')).toBe('orders:read');
  expect(await scopeOf('/v1/%6Frders/1')).toBe('orders:read');
  expect(await scopeOf('/v1/x/%2e%2e/orders')).toBe('orders:read');
  expect(await scopeOf('/v1/orders?x=1')).toBe('orders:read');
  expect(await scopeOf('/v1/orders-2')).toBeUndefined();
});

test('the limiter gets one descriptor of organization and key', async () => {
  await gateway.ask('/v1/x', { headers: WITH_KEY });
  expect(services.limitCalls.at(-1)?.request).toMatchObject({
    domain: 'tollgate',
    descriptors: [
      {
        entries: [
          { key: 'organization_id', value: 'org-1' },
          { key: 'key_id', value: 'key-1' },
        ],
      },
    ],
  });
});

test("an upstream's own rate limit headers are removed and ours arrive; its Retry-After is its own matter", async () => {
  const { headers } = await gateway.ask('/v1/limits-of-its-own', { headers: WITH_KEY });
  const limits = Object.entries(headers).filter(([name]) => /^(x-)?ratelimit/.test(name));
  expect(limits).toEqual([
    ['x-ratelimit-limit-minute', '100'],
    ['ratelimit', '"minute";r=99;t=1'],
  ]);
  expect(headers['retry-after']).toBe('4');
});

test('an upstream that echoes the identity does not tell it to the caller, nor its own request id', async () => {
  const { headers } = await gateway.ask('/v1/echo-identity', { headers: WITH_KEY });
  for (const name of ['x-organization-id', 'x-api-key-id', 'x-plan-tier']) expect(headers).not.toHaveProperty(name);
  expect(headers['x-request-id']).toBe(received('/v1/echo-identity')['x-request-id']);
});

test('a public route asks nobody and passes no key of ours on, but leaves the own Authorization of the customer', async () => {
  const [checks, limitCalls] = [services.checks.length, services.limitCalls.length];
  const authorizationAfter = async (authorization: string | string[]) => {
    await gateway.ask('/open/keys', { headers: { ...WITH_KEY, authorization } });
    expect(received('/open/keys')).not.toHaveProperty('x-api-key');
    return received('/open/keys').authorization;
  };
  expect(await authorizationAfter(`Bearer ${GOOD_KEY}`)).toBeUndefined();
  expect(await authorizationAfter(`bEARER  ${GOOD_KEY.toUpperCase()}`)).toBeUndefined();
  expect(await authorizationAfter(GOOD_KEY)).toBeUndefined();
  expect(await authorizationAfter(['Bearer jwt', `Bearer ${GOOD_KEY}`])).toBeUndefined();
  expect(await authorizationAfter('Bearer eyJ.sk_.x')).toBe('Bearer eyJ.sk_.x');
  expect([services.checks.length, services.limitCalls.length]).toEqual([checks, limitCalls]);
});
