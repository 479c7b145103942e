import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FakeServices, type FakeUpstream, GOOD_KEY, startFakeServices, startFakeUpstream } from './fake-services.js';
import { type Gateway, startGateway } from './live-gateway.js';
import { servicesAreHealthy, WITH_KEY } from './live-world.js';

/** Long enough for a stream to be seen alive, short enough to wait for its end. */
const SHORT_LIFE_MS = 500;

let services: FakeServices;
let upstream: FakeUpstream;
let gateway: Gateway;
let shortLived: Gateway;
/** What the upstream holds open, for the test to go on with. */
const held: { request: IncomingMessage; response: ServerResponse }[] = [];
const sockets: Duplex[] = [];

beforeAll(async () => {
  services = await startFakeServices();
  upstream = await startFakeUpstream({
    '/events': (received, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      held.push({ request: received, response });
    },
    '/upload': (received, response) => {
      held.push({ request: received, response });
    },
    '/silent': () => {},
  });
  upstream.onUpgrade = (_request, socket) => {
    sockets.push(socket);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.pipe(socket);
  };
  const options = {
    authz: [services.authz],
    ratelimit: [services.ratelimit],
    usage: [services.usage],
    routes: [
      { name: 'streams', prefix: '/', upstream: upstream.url, streaming: true },
      { name: 'calls', prefix: '/socket', upstream: upstream.url, timeoutMs: 100 },
    ],
  };
  [gateway, shortLived] = await Promise.all([startGateway(options), startGateway({ ...options, maxStreamMs: SHORT_LIFE_MS })]);
  await Promise.all([gateway, shortLived].map((each) => servicesAreHealthy(each, ['authz', 'ratelimit', 'usage'])));
});

afterAll(async () => {
  await Promise.all([gateway.close(), shortLived.close()]);
  await Promise.all([services.close(), upstream.close()]);
});

function send(through: Gateway, path: string, method = 'GET'): ClientRequest {
  return request({ host: '127.0.0.1', port: through.port, path, method, headers: WITH_KEY, agent: false });
}

async function answered(sent: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function nextHeld() {
  return until(() => held.shift());
}

test('each server-sent event arrives before the next one is made', async () => {
  const sent = send(gateway, '/events');
  sent.end();
  const [response, { response: source }] = await Promise.all([answered(sent), nextHeld()]);
  let seen = '';
  response.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
  });
  for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
    seen = '';
    source.write(event);
    await until(() => seen === event);
  }
  source.end();
  await once(response, 'end');
});

test('an upstream learns that the caller of its stream has gone', async () => {
  const sent = send(gateway, '/events');
  sent.end();
  const [, { response: source }] = await Promise.all([answered(sent), nextHeld()]);
  const gone = once(source, 'close');
  sent.destroy();
  await gone;
});

test('each piece of a body reaches the upstream before the next one is sent', async () => {
  const sent = send(gateway, '/upload', 'POST');
  sent.flushHeaders();
  sent.write('first');
  const { request: received, response } = await nextHeld();
  const [first] = (await once(received, 'data')) as [Buffer];
  expect(first.toString()).toBe('first');
  const second = once(received, 'data') as Promise<[Buffer]>;
  sent.end('second');
  expect((await second)[0].toString()).toBe('second');
  response.end('done');
  expect(await text(await answered(sent))).toBe('done');
});

/** Asks for a websocket; resolves with the head of the answer, and the socket behind it. */
async function upgrade(through: Gateway, headers: Record<string, string>): Promise<{ head: string; socket: Socket }> {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const socket = connect(through.port, '127.0.0.1');
  const asked = 'GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  socket.write(`${asked}Sec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n${lines.join('')}\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  return { head: head.toString(), socket };
}

test('a websocket carries both directions, for longer than the timeout of its route', async () => {
  const { head, socket } = await upgrade(gateway, { 'X-API-Key': GOOD_KEY });
  expect(head).toMatch(/^HTTP\/1\.1 101 /);
  const openedMs = performance.now();
  for (let i = 0; performance.now() - openedMs < 300; i++) {
    const echo = once(socket, 'data') as Promise<[Buffer]>;
    socket.write(`message ${i}`);
    expect((await echo)[0].toString()).toBe(`message ${i}`);
  }
  socket.destroy();
});

test('a websocket without a key is a plain 401, and the upstream hears nothing of it', async () => {
  sockets.length = 0;
  const { head, socket } = await upgrade(gateway, {});
  expect(head).toMatch(/^HTTP\/1\.1 401 /);
  expect(head).toContain('missing_api_key');
  expect(sockets).toEqual([]);
  socket.destroy();
});

test('a stream that goes on is ended when its time is up, so that no key outlives its revocation for longer', async () => {
  const sent = send(shortLived, '/events');
  sent.end();
  const [response, { response: source }] = await Promise.all([answered(sent), nextHeld()]);
  source.write('data: 1\n\n');
  const upstreamEnded = once(source, 'close');
  await expect(text(response)).rejects.toThrow('aborted');
  await upstreamEnded;
});

test('a websocket is ended when its time is up', async () => {
  const { head, socket } = await upgrade(shortLived, { 'X-API-Key': GOOD_KEY });
  expect(head).toMatch(/^HTTP\/1\.1 101 /);
  await once(socket, 'close');
});

test('a call that has no answer when its time is up is a 504 of our shape', async () => {
  const answer = await shortLived.ask('/silent', { headers: WITH_KEY });
  expect(answer.status).toBe(504);
  expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'upstream_timeout' } });
});

test('a request with more than 100 headers is refused', async () => {
  const headers = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`x-many-${i}`, 'x']));
  const answer = await gateway.ask('/', { headers: { ...WITH_KEY, ...headers } });
  expect(answer.status).toBe(431);
  expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'headers_too_large' } });
});
