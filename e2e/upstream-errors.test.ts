import { ERRORS, type ErrorCode } from '@tollgate/domain/error-code';
import { beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from './gateway.js';
import { type Answer, askRaw } from './http-client.js';
import { startUpstream, type Upstream } from './upstream.js';

let gateway: Gateway;
let upstream: Upstream;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ env: { UPSTREAM_URL: upstream.url, UPSTREAM_TIMEOUT: '1s' } });
  return async () => {
    await gateway.close();
    await upstream.close();
  };
});

/** The one shape, our own words, and nothing that tells how we are built. */
function expectError(
  { status, headers, body }: Pick<Answer, 'status' | 'headers' | 'body'>,
  code: ErrorCode,
  expectedStatus: number = ERRORS[code].status,
): void {
  expect(status).toBe(expectedStatus);
  expect(headers['content-type']).toBe('application/json');
  expect(JSON.parse(body)).toEqual({
    error: { code, message: ERRORS[code].message },
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    request_id: headers['x-request-id'] ?? null,
  });
  expect(body).not.toMatch(/127\.0\.0\.1|node_modules|\.[jt]s:\d|at \w+ \(|upstream connect|envoy|cluster|reset/i);
}

test('an upstream that is away is 503 upstream_unavailable, and served again when it is back', async () => {
  expect((await gateway.ask('/x')).status).toBe(200);
  await upstream.stop();
  const answers = await Promise.all(Array.from({ length: 5 }, () => gateway.ask('/x')));
  await upstream.start();
  for (const answer of answers) expectError(answer, 'upstream_unavailable');
  expect((await gateway.ask('/x')).status).toBe(200);
});

test('an upstream that hangs up without an answer is 503 upstream_unavailable', async () => {
  upstream.on('/hangs-up', (request) => request.socket.destroy());
  expectError(await gateway.ask('/hangs-up'), 'upstream_unavailable');
});

test('an upstream that talks no HTTP is 502 upstream_unavailable', async () => {
  upstream.on('/nonsense', (request) => request.socket.end('SSH-2.0-OpenSSH\r\n'));
  expectError(await gateway.ask('/nonsense'), 'upstream_unavailable', 502);
});

test('an upstream that does not answer in time is 504 upstream_timeout', async () => {
  upstream.on('/silent', () => {});
  const beganMs = Date.now();
  const answer = await gateway.ask('/silent');
  expectError(answer, 'upstream_timeout');
  expect(answer.atMs - beganMs).toBeGreaterThanOrEqual(1_000);
});

test("an upstream's own answers pass untouched, its errors too", async () => {
  for (const status of [201, 400, 401, 403, 404, 413, 429, 500, 502, 503, 504]) {
    upstream.on('/own', (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/problem+json', 'retry-after': '7', 'x-own': 'kept' });
      response.end(`{"own":${status}}`);
    });
    const answer = await gateway.ask('/own');
    expect([answer.status, answer.body]).toEqual([status, `{"own":${status}}`]);
    expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json', 'retry-after': '7', 'x-own': 'kept' });
  }
});

test('limits that an upstream tells of itself are not taken for ours', async () => {
  upstream.on('/limits', (_request, response) => {
    response.writeHead(200, { 'X-RateLimit-Remaining-Minute': '12345', 'X-RateLimit-Limit': '12345' }).end();
  });
  expect((await gateway.ask('/limits')).rawHeaders).not.toContain('12345');
});

test('an upstream cannot make a caller believe in an error of ours by less than a whole answer', async () => {
  upstream.on('/cut', (_request, response) => {
    response.writeHead(200, { 'content-length': '999' }).write('begun', () => setImmediate(() => response.destroy()));
  });
  await expect(gateway.ask('/cut')).rejects.toThrow();
});

test('headers that are too large are 431 headers_too_large', async () => {
  const answer = await gateway.ask('/x', { headers: { 'x-api-key': gateway.apiKey, 'x-big': 'b'.repeat(40_000) } });
  expectError(answer, 'headers_too_large');
});

test('a request that is no HTTP, or could mean two things, is 400 bad_request', async () => {
  expectError(await gateway.ask('/x', { headers: { 'x-api-key': gateway.apiKey, x_forwarded_for: '1' } }), 'bad_request');
  expectError(await gateway.ask('/a%2Fb'), 'bad_request');
  for (const bytes of ['hello\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n']) {
    const text = await askRaw(gateway.gatewayUrl, bytes);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expectError(parsed(text), 'bad_request');
  }
});

test('a request that no route takes is 404 route_not_found', async () => {
  const text = await askRaw(gateway.gatewayUrl, 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n');
  expectError(parsed(text), 'route_not_found');
});

function parsed(text: string): Pick<Answer, 'status' | 'headers' | 'body'> {
  const [head = '', body = ''] = text.split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(lines.map((line) => [line.split(': ')[0]?.toLowerCase() ?? '', line.split(': ')[1]]));
  return { status: Number(first.split(' ')[1]), headers, body };
}
