import { connect } from 'node:net';
import { ERRORS, type ErrorCode } from '@tollgate/domain/error-code';
import { RateLimitResponse_Code } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { cannotDecide, GOOD_KEY, overLimit, rateLimitResponse } from './fake-services.js';
import { type Answer, startGateway } from './live-gateway.js';
import { servicesAreHealthy, startWorld, WITH_KEY, type World } from './live-world.js';

const ISO_MILLIS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let world: World;
let gateway: World['gateway'];
let services: World['services'];
let upstream: World['upstream'];
let defaults: World['services']['decide'];

beforeAll(async () => {
  world = await startWorld();
  ({ gateway, services, upstream } = world);
  defaults = { ...services.decide };
});

afterAll(() => world.close());

beforeEach(() => {
  Object.assign(services.decide, defaults);
});

test.each(['/health', '/health/live'])('%s answers without a key and without a service', async (path) => {
  const checks = services.checks.length;
  const answer = await gateway.ask(path);
  expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
  expect(JSON.parse(answer.body)).toEqual({ status: 'ok', timestamp: expect.stringMatching(ISO_MILLIS), version: '1.2.3' });
  expect(services.checks.length).toBe(checks);
});

test('/health/ready is 200 while authz answers', async () => {
  const answer = await gateway.ask('/health/ready?x=1');
  expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
  expect(JSON.parse(answer.body)).toEqual({ status: 'ok', timestamp: expect.stringMatching(ISO_MILLIS), version: '1.2.3' });
});

test('without authz a request is refused with 503 and a Retry-After of 1 to 5 seconds, and the gateway is not ready', async () => {
  const alone = await startGateway({ upstreamUrl: upstream.url, authz: [{ host: '127.0.0.1', port: 1 }] });
  try {
    const reached = upstream.requests.length;
    const answer = await alone.ask('/v1/x', { headers: WITH_KEY });
    expectError(answer, 503, 'authorization_unavailable');
    expect(answer.headers['retry-after']).toMatch(/^[1-5]$/);
    expect(upstream.requests.length).toBe(reached);
    const ready = await alone.ask('/health/ready');
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.body)).toMatchObject({ status: 'unavailable' });
    expect((await alone.ask('/health/live')).status).toBe(200);
  } finally {
    await alone.close();
  }
});

test('a request passes without limits while there is no limiter, and the gateway stays ready', async () => {
  const unlimited = await startGateway({
    upstreamUrl: upstream.url,
    authz: [services.authz],
    ratelimit: [{ host: '127.0.0.1', port: 1 }],
  });
  try {
    await servicesAreHealthy(unlimited, ['authz']);
    expect((await unlimited.ask('/v1/x', { headers: WITH_KEY })).status).toBe(200);
    expect((await unlimited.ask('/health/ready')).status).toBe(200);
  } finally {
    await unlimited.close();
  }
});

test('authz that fails is a 503, and what authz itself says about it reaches the caller as it is', async () => {
  services.decide.check = () => undefined;
  expectError(await gateway.ask('/v1/x', { headers: WITH_KEY }), 503, 'authorization_unavailable');
  services.decide.check = cannotDecide;
  const answer = await gateway.ask('/v1/x', { headers: WITH_KEY });
  expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
  expect(JSON.parse(answer.body)).toMatchObject({ error: { message: 'of authz itself' } });
});

test('a check whose first try comes to nothing is made once more, and no more than that', async () => {
  const check = defaults.check;
  const tries = async (first: typeof defaults.check, from = gateway): Promise<[number, number]> => {
    let count = 0;
    services.decide.check = (request) => (count++ === 0 ? first(request) : check(request));
    return [(await from.ask('/v1/x', { headers: WITH_KEY })).status, count];
  };
  expect(await tries(check)).toEqual([200, 1]);
  expect(await tries(() => undefined)).toEqual([200, 2]);
  expect(await tries(() => new Promise(() => {}))).toEqual([200, 2]); // it has 0.25 s
  const before = services.checks.length;
  services.decide.check = () => undefined;
  expect((await gateway.ask('/v1/x', { headers: WITH_KEY })).status).toBe(503);
  expect(services.checks.length - before).toBe(2);

  const once = await startGateway({ upstreamUrl: upstream.url, authz: [services.authz] }, (yaml) =>
    yaml.replace('num_retries: 1', 'num_retries: 0'),
  );
  try {
    await servicesAreHealthy(once, ['authz']);
    expect(await tries(() => undefined, once)).toEqual([503, 1]);
  } finally {
    await once.close();
  }
});

test('what authz has no room for is refused at once with 503, and the next request passes', async () => {
  const check = defaults.check;
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  services.decide.check = async (request) => released.then(() => check(request));
  const small = await startGateway({ upstreamUrl: upstream.url, authz: [services.authz] }, (yaml) =>
    yaml.replace('max_requests: 1024', 'max_requests: 3'),
  );
  try {
    await servicesAreHealthy(small, ['authz']);
    const answers: Answer[] = [];
    const all = Array.from({ length: 10 }, async () => {
      answers.push(await small.ask('/v1/things', { headers: WITH_KEY }));
    });
    await until(() => answers.length >= 7, 10_000, 'the refusals');
    release();
    await Promise.all(all);
    // Nobody decided anything before: whoever was answered was refused by Envoy.
    for (const { status, headers, body } of answers.slice(0, 7)) {
      expectError({ status, headers, body }, 503, 'authorization_unavailable');
      expect(headers['retry-after']).toMatch(/^[1-5]$/);
    }
    const stats = await (await fetch(`${small.adminUrl}/stats?filter=^cluster.authz.upstream_rq_active_overflow$`)).text();
    expect(Number(/: (\d+)/.exec(stats)?.[1])).toBeGreaterThanOrEqual(7);
    expect((await small.ask('/v1/things', { headers: WITH_KEY })).status).toBe(200);
  } finally {
    await small.close();
  }
});

test('every refusal of Envoy itself is JSON of our shape', async () => {
  expectError(await gateway.ask('/nowhere', { headers: WITH_KEY }), 404, 'route_not_found');
  expectError(
    await gateway.ask('/v1/x', { method: 'POST', body: 'x'.repeat(1001), headers: { ...WITH_KEY, 'content-length': '1001' } }),
    413,
    'payload_too_large',
  );
  expectError(await gateway.ask('/dead', { headers: WITH_KEY }), 503, 'upstream_unavailable');
  expectError(await gateway.ask('/v1/cut', { headers: WITH_KEY }), 503, 'upstream_unavailable');
  expectError(await gateway.ask('/slow', { headers: WITH_KEY }), 504, 'upstream_timeout');
  expectError(await gateway.ask('/v1/a%2Fb', { headers: WITH_KEY }), 400, 'bad_request');
  expectError(await gateway.ask('/v1/x', { headers: { ...WITH_KEY, x_api_key: 'k' } }), 400, 'bad_request');
  expectError(await gateway.ask('/v1/x', { headers: { ...WITH_KEY, big: 'x'.repeat(40_000) } }), 431, 'headers_too_large');
});

test('an upstream that answers 503 is not rewritten', async () => {
  const answer = await gateway.ask('/v1/own-503', { headers: WITH_KEY });
  expect(answer).toMatchObject({ status: 503, headers: { 'content-type': 'application/x-own' }, body: 'upstream says 503' });
});

test('denials of authz and 429 of the limiter reach the caller as they were made', async () => {
  const denied = await gateway.ask('/v1/x');
  expect(denied).toMatchObject({ status: 401, body: '{"error":{"code":"missing_api_key"}}' });
  services.decide.limit = overLimit;
  const limited = await gateway.ask('/v1/x', { headers: WITH_KEY });
  expect(limited).toMatchObject({ status: 429, body: '{"error":{"code":"rate_limit_exceeded"}}' });
  expect(limited.headers).toMatchObject({
    'retry-after': '7',
    'x-ratelimit-limit-minute': '100',
    ratelimit: '"minute";r=99;t=1',
    'content-type': 'application/json',
  });
});

test('a preflight of an allowed origin needs no key, and one of another does', async () => {
  const preflight = (origin: string) =>
    gateway.ask('/v1/x', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
  expect(await preflight('https://app.example.com')).toMatchObject({
    status: 200,
    headers: { 'access-control-allow-origin': 'https://app.example.com' },
  });
  expect((await preflight('https://evil.example.com')).status).toBe(401);
  const refused = await gateway.ask('/v1/x', { headers: { origin: 'https://app.example.com' } });
  expect(refused).toMatchObject({ status: 401, headers: { 'access-control-allow-origin': 'https://app.example.com' } });
});

test('a websocket upgrade passes with a key', async () => {
  const socket = connect(gateway.port, '127.0.0.1');
  socket.write(
    `GET /v1/socket HTTP/1.1\r\nHost: x\r\nX-API-Key: ${GOOD_KEY}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  let seen = '';
  for await (const chunk of socket) seen += String(chunk);
  expect(seen).toMatch(/^HTTP\/1\.1 101 [\s\S]*hello$/);
});

test('a limiter that answers nothing useful does not stop a request', async () => {
  services.decide.limit = () => rateLimitResponse({ overallCode: RateLimitResponse_Code.UNKNOWN });
  expect((await gateway.ask('/v1/x', { headers: WITH_KEY })).status).toBe(200);
});

function expectError(answer: Answer, status: number, code: ErrorCode): void {
  expect(answer).toMatchObject({ status, headers: { 'content-type': 'application/json' } });
  const body = JSON.parse(answer.body) as { request_id: string | null };
  expect(body).toEqual({
    error: { code, message: ERRORS[code].message },
    timestamp: expect.stringMatching(ISO_MILLIS),
    request_id: answer.headers['x-request-id'] ?? null,
  });
}
