import { beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from './gateway.js';
import { askRaw } from './http-client.js';
import { type Key, type Operator, operate } from './operator.js';
import { type Received, startUpstream, type Upstream } from './upstream.js';

let gateway: Gateway;
let upstream: Upstream;
let operator: Operator;
let key: Key;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ env: { UPSTREAM_URL: upstream.url } });
  operator = operate(gateway);
  key = await operator.newcomer('premium');
  return async () => {
    await operator.close();
    await gateway.close();
    await upstream.close();
  };
});

/** Sends a good request with these headers besides, and returns what reached the upstream. */
async function reached(path: string, headers: readonly string[]): Promise<Received> {
  const answer = await gateway.ask(path, { headers: ['Host', 'api.example.com', ...headers] });
  expect(answer.status).toBe(200);
  return upstream.last(path);
}

/** Each identity header once and ours, and the key nowhere, in whatever form. */
function expectTrueIdentity({ rawHeaders, headers, path }: Received): void {
  const sent = (name: string) => rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name);
  expect(sent('x-organization-id')).toEqual([key.organizationId]);
  expect(sent('x-api-key-id')).toEqual([key.keyId]);
  expect(sent('x-plan-tier')).toEqual(['premium']);
  expect(sent('x-request-id')).toEqual([expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/)]);
  expect(headers).not.toHaveProperty('x-api-key');
  expect(`${path} ${rawHeaders.join(' ')}`).not.toContain(key.secret);
}

test('the upstream is told who calls, and never sees the key', async () => {
  expectTrueIdentity(await reached('/by-api-key', ['X-API-Key', key.secret]));
  const byBearer = await reached('/by-bearer', ['Authorization', `Bearer ${key.secret}`]);
  expectTrueIdentity(byBearer);
  expect(byBearer.headers).not.toHaveProperty('authorization');
  const byBoth = await reached('/by-both', ['Authorization', `bearer ${key.secret}`, 'X-API-Key', key.secret]);
  expectTrueIdentity(byBoth);
  expect(byBoth.headers).not.toHaveProperty('authorization');
});

test("a customer's own Authorization reaches the upstream untouched beside X-API-Key", async () => {
  for (const authorization of ['Bearer eyJhbGciOiJub25lIn0.e30.', 'Basic dXNlcjpzaw==', 'Token task_1', 'AWS4 a=b, c=d']) {
    const received = await reached('/own-authorization', ['X-API-Key', key.secret, 'Authorization', authorization]);
    expect(received.headers.authorization).toBe(authorization);
    expectTrueIdentity(received);
  }
});

test('X-Request-ID is ours in the answer and at the upstream; the one of the caller travels as X-Client-Request-ID', async () => {
  const answer = await gateway.ask('/ids', {
    headers: { 'x-api-key': key.secret, 'x-request-id': 'mine', 'x-client-request-id': 'lie' },
  });
  const { headers } = upstream.last('/ids');
  expect(headers['x-client-request-id']).toBe('mine');
  expect(headers['x-request-id']).toBe(answer.headers['x-request-id']);
  expect(headers['x-request-id']).not.toBe('mine');
  await gateway.ask('/no-id', { headers: { 'x-api-key': key.secret, 'x-client-request-id': 'lie' } });
  expect(upstream.last('/no-id').headers).not.toHaveProperty('x-client-request-id');
});

test('what a caller asks for reaches the upstream as it was: method, path, query, headers and body', async () => {
  const headers = { 'x-api-key': key.secret, 'content-type': 'text/csv', cookie: 'a=b; c=d', accept: 'text/*', 'x-own': 'kept' };
  await gateway.ask('/v1/orders?q=a%20b&x=1', { method: 'PUT', headers, body: 'one,two\n' });
  const received = upstream.last('/v1/orders');
  expect(received).toMatchObject({ method: 'PUT', path: '/v1/orders?q=a%20b&x=1', body: 'one,two\n' });
  const { 'x-api-key': _, ...passed } = headers;
  expect(received.headers).toMatchObject(passed);
});

/** Attempts to be somebody else, in requests that are good otherwise. */
const LIES: Record<string, readonly string[]> = {
  'the organization': ['X-Organization-ID', 'evil'],
  'the organization in small letters': ['x-organization-id', 'evil'],
  'the organization twice': ['X-Organization-ID', 'evil', 'x-organization-id', 'evil-2'],
  'the organization as a list': ['X-Organization-ID', 'evil, evil-2'],
  'an empty organization': ['X-Organization-ID', ''],
  'the id of a key': ['X-API-Key-ID', 'evil'],
  'the plan': ['X-Plan-Tier', 'evil'],
  'all of the identity': ['X-Organization-ID', 'evil', 'X-API-Key-ID', 'evil', 'X-Plan-Tier', 'evil'],
  'a header of ours that is yet to come': ['X-Tollgate-Organization', 'evil'],
  'the identity dropped as hop-by-hop': [
    'Connection',
    'close, X-Organization-ID, X-API-Key-ID, X-Plan-Tier',
    'X-Organization-ID',
    'evil',
  ],
  'an internal origin': ['X-Envoy-Internal', 'true', 'X-Forwarded-For', '127.0.0.1', 'X-Organization-ID', 'evil'],
  'an internal address': ['X-Forwarded-For', '10.0.0.1', 'X-Plan-Tier', 'evil'],
  'another path to Envoy': ['X-Envoy-Original-Path', '/evil', 'X-Rewrite-URL', '/x'],
  'Envoy told to wait longer and try more often': ['X-Envoy-Upstream-Rq-Timeout-Ms', '999999', 'X-Envoy-Max-Retries', '99'],
  'an answer of authz': ['X-Ext-Authz-Check-Result', 'allowed', 'X-Envoy-Decorator-Operation', 'evil', 'X-API-Key-ID', 'evil'],
};

test.each(Object.entries(LIES))('nobody can forge %s', async (_, headers) => {
  const received = await reached('/lies', ['X-API-Key', key.secret, ...headers]);
  expectTrueIdentity(received);
  expect(received.rawHeaders.join('\n')).not.toMatch(/evil|999999/);
});

test('a forged identity in the trailers of a request does not reach the upstream', async () => {
  const text = await askRaw(
    gateway.gatewayUrl,
    `POST /trailers HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: ${key.secret}\r\nTrailer: X-Organization-ID\r\n` +
      'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Organization-ID: evil\r\nX-API-Key: evil\r\n\r\n',
  );
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  const received = upstream.last('/trailers');
  expectTrueIdentity(received);
  expect(received.body).toBe('hi');
  expect(received.rawTrailers.join('\n')).not.toMatch(/evil/);
});

test('a folded header is one value, and no header of its own', async () => {
  const text = await askRaw(
    gateway.gatewayUrl,
    `GET /folded HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: ${key.secret}\r\nX-A: b\r\n X-Organization-ID: evil\r\n\r\n`,
  );
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  expectTrueIdentity(upstream.last('/folded'));
});

describe('what could mean one thing to us and another to the upstream is refused', () => {
  const start = 'GET /refused HTTP/1.1\r\nHost: a\r\nConnection: close\r\n';
  const AMBIGUOUS: Record<string, (withKey: string) => string> = {
    'an underscore in the name of a header': (withKey) => `${start}${withKey}x_organization_id: evil\r\n\r\n`,
    'a key under a name with underscores': () => `${start}x_api_key: ${key.secret}\r\n\r\n`,
    'a space before the colon': (withKey) => `${start}${withKey}X-Organization-ID : evil\r\n\r\n`,
    'a NUL in a header': (withKey) => `${start}${withKey}X-A: b\0X-Organization-ID: evil\r\n\r\n`,
    'a body of two lengths': (withKey) =>
      `POST /refused HTTP/1.1\r\nHost: a\r\n${withKey}Content-Length: 4\r\nContent-Length: 5\r\n\r\nevil!`,
    'a length and chunks': (withKey) =>
      `POST /refused HTTP/1.1\r\nHost: a\r\n${withKey}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nevil`,
    'an escaped slash in the path': (withKey) => `GET /refused%2Fx HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${withKey}\r\n`,
  };
  test.each(Object.entries(AMBIGUOUS))('%s', async (_, bytes) => {
    const before = upstream.received.length;
    const text = await askRaw(gateway.gatewayUrl, bytes(`X-API-Key: ${key.secret}\r\n`));
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(upstream.received.slice(before)).toEqual([]);
  });
});

test('a key in the query opens nothing: addresses end up in logs', async () => {
  const { secret } = key;
  for (const query of [`x-api-key=${secret}`, `api_key=${secret}`, `authorization=${secret}`]) {
    expect((await gateway.ask(`/x?${query}`, { headers: {} })).status).toBe(401);
  }
});

test('an upstream that echoes the identity does not tell it to the caller', async () => {
  upstream.on('/echo', (_request, response) => {
    response.writeHead(200, { 'x-organization-id': 'a', 'x-api-key-id': 'b', 'x-plan-tier': 'c', 'x-request-id': 'd' }).end();
  });
  const { headers } = await gateway.ask('/echo', { headers: { 'x-api-key': key.secret } });
  for (const name of ['x-organization-id', 'x-api-key-id', 'x-plan-tier']) expect(headers).not.toHaveProperty(name);
  expect(headers['x-request-id']).toBe(upstream.last('/echo').headers['x-request-id']);
});
