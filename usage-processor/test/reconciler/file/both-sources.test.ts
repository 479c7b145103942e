import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer as createHttp2Server, connect as http2Connect } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import { RateLimitResponse_Code } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { newRunFolder } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  allowGoodKey,
  type FakeServices,
  type FakeUpstream,
  GOOD_KEY,
  overLimit,
  rateLimitResponse,
  startFakeServices,
  startFakeUpstream,
} from '../../../../packages/envoy-config/test/fake-services.js';
import { type Gateway, startGateway } from '../../../../packages/envoy-config/test/live-gateway.js';
import { servicesAreHealthy } from '../../../../packages/envoy-config/test/live-world.js';
import { endedRequestFrom as fromEntry } from '../../../src/collector/grpc/ended-request.js';
import { endedRequestFrom as fromLine } from '../../../src/reconciler/file/ended-request.js';
import { type EndedRequest, usageEventFrom } from '../../../src/usage-event.js';
import { KEY_ID, ORGANIZATION_ID } from '../../an-ended-request.js';

const NODE = 'edge-1';
const WITH_KEY = { 'x-api-key': GOOD_KEY };
const DEADLINE_MS = 20_000;
/** In a path by mistake. */
const MISPLACED = 'sk_live_c5z72vzbbd3m1hf5fmomejqhggp8s23o';

let services: FakeServices;
let upstream: FakeUpstream;
let grpcUpstream: Awaited<ReturnType<typeof startGrpcUpstream>>;
let gateway: Gateway;
let file: string;

beforeAll(async () => {
  services = await startFakeServices();
  services.decide.check = (asked) => {
    const answer = allowGoodKey(asked);
    if (answer.dynamicMetadata === undefined) return answer;
    return { ...answer, dynamicMetadata: { ...answer.dynamicMetadata, organization_id: ORGANIZATION_ID, key_id: KEY_ID } };
  };
  upstream = await startFakeUpstream({
    '/not-found': (_request, response) => response.writeHead(404).end('none'),
    '/broken': (_request, response) => response.writeHead(500, { 'x-usage-units': '5' }).end(),
    '/units-7': (_request, response) => response.writeHead(200, { 'x-usage-units': '7' }).end(),
    '/units-bad': (_request, response) => response.writeHead(200, { 'x-usage-units': `1000000${'9'.repeat(500)}` }).end(),
    '/units-words': (_request, response) =>
      response.writeHead(200, { 'x-usage-units': Buffer.from('vü"\\').toString('latin1') }).end(),
    '/large': (received, response) => void received.resume().on('end', () => response.end(Buffer.alloc(3_000_000, 'x'))),
    '/resets': (received) => received.socket.destroy(),
    '/slow': () => {},
    '/hangs': (_request, response) => response.write('begun'),
    '/cut': (_request, response) => {
      response.writeHead(200, { 'content-length': '9999' }).write('begun', () => setImmediate(() => response.destroy()));
    },
  });
  grpcUpstream = await startGrpcUpstream();
  file = join((await newRunFolder('witness')).folder, 'usage.jsonl');
  gateway = await startGateway({
    authz: [services.authz],
    ratelimit: [services.ratelimit],
    usage: [services.usage],
    nodeId: NODE,
    accessLogFile: file,
    routes: [
      { name: 'all', prefix: '/', upstream: upstream.url },
      { name: 'slow', prefix: '/slow', upstream: upstream.url, timeoutMs: 100 },
      { name: 'cut-by-timeout', prefix: '/hangs', upstream: upstream.url, timeoutMs: 100 },
      { name: 'dead', prefix: '/dead', upstream: 'http://127.0.0.1:1' },
      { name: 'echo', prefix: '/test.Echo/', upstream: grpcUpstream.url, streaming: true },
    ],
  });
  await servicesAreHealthy(gateway, ['authz', 'ratelimit', 'usage']);
});

afterAll(async () => {
  await gateway.close();
  await Promise.all([services.close(), upstream.close()]);
  grpcUpstream.close();
});

async function startGrpcUpstream() {
  const server = createHttp2Server();
  server.on('stream', (stream, { ':path': path }) => {
    stream.on('error', () => {});
    if (path === '/test.Echo/HeadersOnly') {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '13' }, { endStream: true });
      return;
    }
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () =>
      path === '/test.Echo/NoStatus' ? stream.close() : stream.sendTrailers({ 'grpc-status': '5' }),
    );
    stream.end('hi');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `grpc://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

const get = (path: string, headers: Record<string, string> = {}) => gateway.ask(path, { headers: { ...WITH_KEY, ...headers } });

/** Sends bytes as they are, and waits until the gateway closes. */
async function sendRaw(bytes: Buffer): Promise<void> {
  const socket = connect(gateway.port, '127.0.0.1');
  socket.on('error', () => {}).resume();
  socket.write(bytes);
  await once(socket, 'close');
}

const rawRequest = (method: string, path: Buffer) =>
  sendRaw(
    Buffer.concat([
      Buffer.from(`${method} `),
      path,
      Buffer.from(` HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: ${GOOD_KEY}\r\n\r\n`),
    ]),
  );

async function overHttp2(path: string, headers: Record<string, string>, method = 'POST'): Promise<void> {
  const session = http2Connect(`http://127.0.0.1:${gateway.port}`);
  try {
    const stream = session.request({ ':method': method, ':path': path, ...WITH_KEY, ...headers });
    stream.on('error', () => {}).resume();
    stream.end();
    await once(stream, 'close').catch(() => {});
  } finally {
    session.destroy();
  }
}

/** Leaves when the gateway has the request, or when the answer's first bytes have come. */
async function leave(path: string, when: 'before-answer' | 'in-answer'): Promise<void> {
  const sent = request({ host: '127.0.0.1', port: gateway.port, path, headers: WITH_KEY, agent: false });
  sent.on('error', () => {});
  sent.end();
  if (when === 'in-answer') {
    const [response] = await once(sent, 'response');
    response.on('error', () => {});
    await once(response, 'data');
  } else {
    await until(() => upstream.requests.some((received) => received.path === path));
  }
  sent.destroy();
}

async function upgrade(): Promise<void> {
  const socket = connect(gateway.port, '127.0.0.1');
  const asked = 'GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  socket.write(`${asked}Sec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\nX-API-Key: ${GOOD_KEY}\r\n\r\n`);
  await text(socket);
}

async function limited(limit: FakeServices['decide']['limit']): Promise<void> {
  const usual = services.decide.limit;
  services.decide.limit = limit;
  await get('/limited');
  services.decide.limit = usual;
}

const shadow = () =>
  rateLimitResponse({ overallCode: RateLimitResponse_Code.OK, dynamicMetadata: { decision: 'shadow', limit: 'day' } });

/** Requests by what is special about them; `entries` is how many the access log has of each. */
const REQUESTS: readonly [what: string, entries: number, send: () => Promise<unknown>][] = [
  ['200', 1, () => get('/?secret=1')],
  ['404 of the upstream', 1, () => get('/not-found')],
  ['500 with units', 1, () => get('/broken')],
  ['units', 1, () => get('/units-7')],
  ['far too many units', 1, () => get('/units-bad')],
  ['units that are no number and no ASCII', 1, () => get('/units-words')],
  ['429', 1, () => limited(overLimit)],
  ['a limit in shadow mode', 1, () => limited(shadow)],
  ['a limiter that says nothing', 1, () => limited(() => rateLimitResponse({ overallCode: RateLimitResponse_Code.OK }))],
  ['503, nobody listens', 1, () => get('/dead')],
  ['503, the upstream resets', 1, () => get('/resets')],
  ['504', 1, () => get('/slow')],
  ['cut by the timeout', 1, () => get('/hangs').catch(() => {})],
  ['cut by the upstream', 1, () => get('/cut').catch(() => {})],
  ['the caller leaves before the answer', 1, () => leave('/slow?leaving', 'before-answer')],
  ['the caller leaves in the answer', 1, () => leave('/hangs?leaving', 'in-answer')],
  ['HEAD', 1, () => gateway.ask('/', { method: 'HEAD', headers: WITH_KEY })],
  ['a method of its own', 1, () => rawRequest('PURGE', Buffer.from('/'))],
  ['large bodies both ways', 1, () => gateway.ask('/large', { method: 'PUT', headers: WITH_KEY, body: 'y'.repeat(2_000_000) })],
  ['a path longer than is kept', 1, () => get(`/${'é'.repeat(400)}/${'x'.repeat(3000)}`.replaceAll('é', '%c3%a9'))],
  ['a path with quotes, backslashes and escapes', 1, () => get("/%22a%22/%7B%22stream_id%22:1%7D/%ff%fe%20/{stream_id:1}/'|&^`")],
  ['a path that a spreadsheet would run', 1, () => get('/=cmd|%20x!A1//..//y/;v=1,2')],
  ['a path of bytes that are UTF-8', 0, () => rawRequest('GET', Buffer.from('/café'))],
  ['a path of bytes that are not', 0, () => rawRequest('GET', Buffer.from([0x2f, 0xff, 0xfe]))],
  ['a key in the path', 1, () => get(`/v1/${MISPLACED}/x?y`)],
  ['a key in the path, in capitals', 1, () => get(`/v1/${MISPLACED.toUpperCase()}/x?y`)],
  ['a key in the query', 1, () => get(`/v1?key=${MISPLACED}`)],
  ['no key', 0, () => gateway.ask('/')],
  ['a bad key', 0, () => gateway.ask('/', { headers: { 'x-api-key': 'nobody' } })],
  ["the caller's own request id", 1, () => get('/', { 'x-request-id': '"own"' })],
  ['HTTP/2', 1, () => overHttp2('/h2', {}, 'GET')],
  ['gRPC with its status in the trailers', 1, () => overHttp2('/test.Echo/Say', { 'content-type': 'application/grpc+proto' })],
  ['gRPC with its status in the headers', 1, () => overHttp2('/test.Echo/HeadersOnly', { 'content-type': 'application/grpc' })],
  ['gRPC without a status', 1, () => overHttp2('/test.Echo/NoStatus', { 'content-type': 'application/grpc' })],
  ['gRPC-Web', 1, () => overHttp2('/test.Echo/Say', { 'content-type': 'application/grpc-web' })],
  ['no gRPC, to a gRPC upstream', 1, () => overHttp2('/test.Echo/Say', { 'content-type': 'Application/JSON; charset="ü"' })],
  ['a websocket', 1, upgrade],
];

function eventOf(request: EndedRequest | undefined): UsageEvent {
  if (request === undefined) throw new Error('not the end of a request');
  const outcome = usageEventFrom(request, { path: 'full', identityNamespaces: ['envoy.filters.http.ext_authz'] });
  if (outcome.kind !== 'event') throw new Error(`no event: ${outcome.reason}`);
  return outcome.event;
}

const linesOf = async () => (await readFile(file, 'utf8')).split('\n').slice(0, -1);

test.each(REQUESTS)('%s: the stream and the file make the same event', async (_, entries, send) => {
  const before = services.entries.length;
  const linesBefore = (await linesOf()).length;
  await send();
  // An entry of its own after it, so that "none" is seen and not only not seen yet.
  const { headers } = await get('/last');
  const isThere = async () =>
    services.entries.at(-1)?.commonProperties?.streamId === headers['x-request-id'] &&
    (await linesOf()).at(-1)?.includes(String(headers['x-request-id']));
  await until(isThere, DEADLINE_MS, 'the entries');
  const told = services.entries.slice(before);
  const written = (await linesOf()).slice(linesBefore);
  expect(told).toHaveLength(entries + 1);
  const eventsOfStream = told.map((entry) => eventOf(fromEntry(entry, NODE)));
  expect(written.map((line) => eventOf(fromLine(line, NODE)))).toEqual(eventsOfStream);
  expect(Math.max(...written.map((line) => line.length))).toBeLessThan(3_000);
  expect(await readFile(file, 'utf8')).not.toMatch(new RegExp(`${GOOD_KEY}|${MISPLACED.slice(8)}|secret`, 'i'));
});
