import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { type CallInfo, clientStreamMethod, GrpcError, type GrpcMethod } from '@tollgate/service-kit/grpc';
import { type GrpcServer, type GrpcServerOptions, startGrpcServer } from '@tollgate/service-kit/grpc-server';
import { parseListenAddress } from '@tollgate/service-kit/listen-address';
import { type ListenAddress, SettingsError } from '@tollgate/service-kit/settings';
import { afterEach, expect, test, vi } from 'vitest';
import { CANARY_KEY, CANARY_URL, hasCanary } from './canaries.js';
import { type CapturedLog, capturedLog } from './captured-log.js';
import { type TestClient, testClient } from './grpc-client.js';

const ANY_PORT: ListenAddress = { kind: 'tcp', host: '127.0.0.1', port: 0 };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A promise that is settled by hand. */
function gate<Value>() {
  let open: (value: Value) => void = () => {};
  const promise = new Promise<Value>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

interface Served {
  server: GrpcServer;
  client: TestClient;
  captured: CapturedLog;
}

async function serve(methods: GrpcMethod[], changes: Partial<GrpcServerOptions> = {}): Promise<Served> {
  const captured = capturedLog();
  const server = await startGrpcServer({ listen: ANY_PORT, methods, log: captured.log, allowPlaintext: false, ...changes });
  const client = testClient(server.address);
  cleanups.push(
    () => server.close(0),
    () => client.close(),
  );
  return { server, client, captured };
}

function folderForTest(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-grpc-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const unary = (path: string, answer: (message: Buffer) => Uint8Array | Promise<Uint8Array>): GrpcMethod => ({
  kind: 'unary',
  path,
  answer,
});
const echo = unary('/test.Echo/Echo', (message) => message);

test('bytes come back as they went, whether the answer is there at once or later, empty ones too', async () => {
  const later = unary('/test.Echo/Later', async (message) => new Uint8Array(message));
  const { client } = await serve([echo, later]);
  const message = Buffer.from([0, 1, 255]);
  expect(await client.unary('/test.Echo/Echo', message)).toEqual(message);
  expect(await client.unary('/test.Echo/Later', message)).toEqual(message);
  expect(await client.unary('/test.Echo/Later', '')).toEqual(Buffer.alloc(0));
});

test('an answer that is a piece of a larger array arrives as that piece', async () => {
  const whole = new Uint8Array([1, 2, 3, 4]);
  const { client } = await serve([unary('/test.Echo/Piece', () => whole.subarray(1, 3))]);
  expect(await client.unary('/test.Echo/Piece', '')).toEqual(Buffer.from([2, 3]));
});

test('a handler reads the headers of its call', async () => {
  const method: GrpcMethod = {
    kind: 'unary',
    path: '/test.Echo/Header',
    answer: (_message, call) => Buffer.from(`${call.header('x-request-id')} ${call.header('x-none')}`),
  };
  const { client } = await serve([method]);
  expect((await client.unary(method.path, '', { 'x-request-id': 'r-1' })).toString()).toBe('r-1 undefined');
});

test.each([
  ['alone', []],
  [
    'beside a stream, so that another server stands under it',
    [
      clientStreamMethod(
        '/test.Echo/Stream',
        (bytes: Buffer) => bytes,
        async () => Buffer.alloc(0),
      ),
    ],
  ],
])('a method that refuses calls unread answers them by itself, %s', async (_, others) => {
  const refuse = (call: CallInfo) => (call.header('x-full') === undefined ? undefined : Buffer.from('full'));
  const method: GrpcMethod = { kind: 'unary', path: '/test.Echo/Refuse', answer: (message) => message, refuse };
  const { client } = await serve([method, ...others]);
  expect((await client.unary(method.path, 'hello', { 'x-full': '1' })).toString()).toBe('full');
  expect((await client.unary(method.path, 'hello')).toString()).toBe('hello');
});

test('a GrpcError reaches the caller as it is, thrown at once or later', async () => {
  const refusal = () => new GrpcError(status.INVALID_ARGUMENT, 'No descriptor. Ä\ud800');
  const { client, captured } = await serve([
    unary('/test.Echo/Now', () => {
      throw refusal();
    }),
    unary('/test.Echo/Later', async () => Promise.reject(refusal())),
  ]);
  for (const path of ['/test.Echo/Now', '/test.Echo/Later']) {
    await expect(client.unary(path, '')).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining('No descriptor. Ä'),
    });
  }
  expect(captured.lines()).toEqual([]);
});

test('any other error is INTERNAL without a word about us, and is logged whole but for secrets', async () => {
  const { client, captured } = await serve([
    unary('/test.Echo/Now', () => {
      throw new Error(`reading ${CANARY_URL} for ${CANARY_KEY}`);
    }),
    unary('/test.Echo/Later', async () => Promise.reject(CANARY_KEY)),
  ]);
  for (const path of ['/test.Echo/Now', '/test.Echo/Later']) {
    await expect(client.unary(path, '')).rejects.toMatchObject({ code: status.INTERNAL, details: 'Internal error.' });
  }
  expect(captured.lines()).toMatchObject([
    {
      level: 'error',
      path: '/test.Echo/Now',
      err: { message: expect.stringContaining('db.internal'), stack: expect.stringContaining('at ') },
    },
    { level: 'error', path: '/test.Echo/Later' },
  ]);
  expect(hasCanary(captured.text())).toBe(false);
});

test('a message beyond the limit is RESOURCE_EXHAUSTED, one at it is served', async () => {
  const { client } = await serve([echo], { maxReceiveBytes: 1000 });
  await expect(client.unary('/test.Echo/Echo', Buffer.alloc(1001))).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  expect(await client.unary('/test.Echo/Echo', Buffer.alloc(1000))).toHaveLength(1000);
});

test('beyond the most calls in flight a call is refused at once, while health still answers', async () => {
  const held = gate<Uint8Array>();
  let begun = 0;
  const slow = unary('/test.Echo/Slow', () => {
    begun++;
    return held.promise;
  });
  const { client } = await serve([slow, echo], { maxInFlight: 2 });
  const waiting = [client.unary('/test.Echo/Slow', ''), client.unary('/test.Echo/Slow', '')];
  await vi.waitFor(() => expect(begun).toBe(2));
  await expect(client.unary('/test.Echo/Slow', '')).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  await client.unary('/grpc.health.v1.Health/Check', '');
  held.open(Buffer.from('done'));
  await Promise.all(waiting);
  expect((await client.unary('/test.Echo/Echo', 'again')).toString()).toBe('again');
});

test('a stream of messages is read in order and answered at its end', async () => {
  const collect: GrpcMethod = {
    kind: 'client-stream',
    path: '/test.Log/Stream',
    async answer(messages) {
      const seen: string[] = [];
      for await (const message of messages) seen.push(message.toString());
      return Buffer.from(seen.join(','));
    },
  };
  const { client } = await serve([collect]);
  const { call, answer } = client.stream(collect.path);
  for (let i = 0; i < 100; i++) call.write(Buffer.from(String(i)));
  call.end();
  expect((await answer).toString()).toBe(Array.from({ length: 100 }, (_, i) => i).join(','));
});

test('a caller that goes away ends the stream, after all that had arrived; that is no failure of ours', async () => {
  const [first, held, ended] = [gate<void>(), gate<void>(), gate<string[]>()];
  const collect: GrpcMethod = {
    kind: 'client-stream',
    path: '/test.Log/Stream',
    async answer(messages) {
      const seen: string[] = [];
      for await (const message of messages) {
        seen.push(message.toString());
        first.open();
        await held.promise;
      }
      ended.open(seen);
      return Buffer.alloc(0);
    },
  };
  const { client, captured } = await serve([collect, echo]);
  const { call, answer } = client.stream(collect.path);
  const outcome = answer.catch((error: { code: number }) => error.code);
  for (let i = 0; i < 10; i++) await new Promise((sent) => call.write(Buffer.from(String(i)), sent));
  await first.promise;
  // The server takes in one message a turn; a round trip on the same connection gives it at least one.
  for (let i = 0; i < 20; i++) await client.unary('/test.Echo/Echo', '');
  call.cancel();
  expect(await outcome).toBe(status.CANCELLED);
  await client.unary('/test.Echo/Echo', '');
  held.open();
  expect((await ended.promise).join('')).toBe('0123456789');
  expect(captured.lines()).toEqual([]);
});

test('a stream handler may answer or fail before the end of the stream', async () => {
  const stream = (path: string, end: () => Uint8Array): GrpcMethod => ({
    kind: 'client-stream',
    path,
    async answer(messages) {
      for await (const _message of messages) return end();
      return end();
    },
  });
  const failing = () => {
    throw new GrpcError(status.INVALID_ARGUMENT, 'not usage');
  };
  const { client } = await serve([stream('/test.Log/Early', () => Buffer.from('enough')), stream('/test.Log/Fail', failing)]);
  const early = client.stream('/test.Log/Early');
  early.call.write(Buffer.from('one'));
  expect((await early.answer).toString()).toBe('enough');
  const failed = client.stream('/test.Log/Fail');
  failed.call.write(Buffer.from('one'));
  await expect(failed.answer).rejects.toMatchObject({ code: status.INVALID_ARGUMENT, details: 'not usage' });
});

const SERVING = Buffer.from([8, 1]);
const NOT_SERVING = Buffer.from([8, 2]);
const SERVICE_UNKNOWN = Buffer.from([8, 3]);
const CHECK = '/grpc.health.v1.Health/Check';
const WATCH = '/grpc.health.v1.Health/Watch';

function healthRequest(service: string): Buffer {
  return Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
}

test('health tells the state of the server and of each service that it serves, and knows no other', async () => {
  const { server, client } = await serve([echo]);
  for (const request of [Buffer.alloc(0), healthRequest(''), healthRequest('test.Echo')]) {
    expect(await client.unary(CHECK, request)).toEqual(SERVING);
  }
  server.setServing(false);
  expect(await client.unary(CHECK, healthRequest('test.Echo'))).toEqual(NOT_SERVING);
  await expect(client.unary(CHECK, healthRequest('other'))).rejects.toMatchObject({ code: status.NOT_FOUND });
  await expect(client.unary(CHECK, Buffer.from([0x0a, 5, 1]))).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});

test('a watch tells the state, each change of it, and ends when the server closes', async () => {
  const { server, client } = await serve([echo]);
  const watch = client.watch(WATCH, healthRequest('test.Echo'));
  const unknown = client.watch(WATCH, healthRequest('other'));
  await vi.waitFor(() => expect(watch.messages).toEqual([SERVING]));
  server.setServing(true);
  server.setServing(false);
  server.setServing(true);
  await vi.waitFor(() => expect(watch.messages).toEqual([SERVING, NOT_SERVING, SERVING]));
  await vi.waitFor(() => expect(unknown.messages).toEqual([SERVICE_UNKNOWN]));
  await server.close(10_000);
  expect(await watch.ended).toBeUndefined();
  expect(await unknown.ended).toBeUndefined();
  expect(watch.messages.at(-1)).toEqual(NOT_SERVING);
});

test('closing tells NOT_SERVING first, still answers while it drains, and lets a call in flight end', async () => {
  const held = gate<Uint8Array>();
  let isBegun = false;
  const slow = unary('/test.Echo/Slow', () => {
    isBegun = true;
    return held.promise;
  });
  const { server, client } = await serve([slow, echo], { drainMs: 300 });
  const waiting = client.unary('/test.Echo/Slow', '');
  await vi.waitFor(() => expect(isBegun).toBe(true));
  const closed = server.close(10_000);
  expect(server.close(0)).toBe(closed);
  expect(await client.unary(CHECK, '')).toEqual(NOT_SERVING);
  server.setServing(true);
  expect(await client.unary(CHECK, '')).toEqual(NOT_SERVING);
  expect((await client.unary('/test.Echo/Echo', 'draining')).toString()).toBe('draining');
  await vi.waitFor(() => expect(testClientIsRefused(server.address)).resolves.toBe(true));
  held.open(Buffer.from('done'));
  expect((await waiting).toString()).toBe('done');
  await closed;
});

async function testClientIsRefused(address: string): Promise<boolean> {
  const client = testClient(address);
  try {
    await client.unary(CHECK, '');
    return false;
  } catch (error) {
    return (error as { code?: number }).code === status.UNAVAILABLE;
  } finally {
    client.close();
  }
}

test('a call that never ends cannot keep a server from closing', async () => {
  let isBegun = false;
  const stuck = unary('/test.Echo/Stuck', () => {
    isBegun = true;
    return new Promise(() => {});
  });
  const { server, client } = await serve([stuck]);
  const waiting = client.unary('/test.Echo/Stuck', '').catch((error: { code: number }) => error.code);
  await vi.waitFor(() => expect(isBegun).toBe(true));
  await server.close(50);
  expect(await waiting).not.toBe(status.OK);
});

test('port 0 picks a port and the address tells it; a port that is taken is an error', async () => {
  const { server, captured } = await serve([echo]);
  expect(server.address).toMatch(/^127\.0\.0\.1:[1-9]\d+$/);
  const listen = parseListenAddress(server.address) as ListenAddress;
  await expect(startGrpcServer({ listen, methods: [], log: captured.log, allowPlaintext: false })).rejects.toThrow();
});

test.each(['0.0.0.0:0', '[::]:0', '10.0.0.1:50051'])('plaintext on %s is refused unless it is allowed', async (address) => {
  const listen = parseListenAddress(address) as ListenAddress;
  const { log } = capturedLog();
  const refused = startGrpcServer({ listen, methods: [echo], log, allowPlaintext: false });
  await expect(refused).rejects.toBeInstanceOf(SettingsError);
  await expect(refused).rejects.toThrow(/ALLOW_PLAINTEXT.*|TLS_CERT_FILE/);
});

test('plaintext beyond loopback is served where it is allowed', async () => {
  const { server } = await serve([echo], { listen: { kind: 'tcp', host: '0.0.0.0', port: 0 }, allowPlaintext: true });
  const client = testClient(server.address.replace('0.0.0.0', '127.0.0.1'));
  cleanups.push(() => client.close());
  expect(await client.unary(CHECK, '')).toEqual(SERVING);
});

test('a unix socket is served in a folder made for this user alone, and is gone after closing', async () => {
  const path = join(folderForTest(), 'run', 'authz.sock');
  const { server, client } = await serve([echo], { listen: { kind: 'unix', path } });
  expect(server.address).toBe(`unix:${path}`);
  expect((await client.unary('/test.Echo/Echo', 'x')).toString()).toBe('x');
  expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
  client.close();
  await server.close(1000);
  expect(existsSync(path)).toBe(false);
});

test('a socket that somebody answers on is left alone', async () => {
  const path = join(folderForTest(), 'authz.sock');
  const { client } = await serve([echo], { listen: { kind: 'unix', path } });
  await expect(serve([echo], { listen: { kind: 'unix', path } })).rejects.toThrow('another process listens');
  expect((await client.unary('/test.Echo/Echo', 'x')).toString()).toBe('x');
});

test('a socket that a dead process left behind is removed, another file is not', async () => {
  const folder = folderForTest();
  const stale = join(folder, 'stale.sock');
  await leaveSocketBehind(stale);
  const { client } = await serve([echo], { listen: { kind: 'unix', path: stale } });
  expect((await client.unary('/test.Echo/Echo', 'x')).toString()).toBe('x');
  const file = join(folder, 'precious');
  writeFileSync(file, 'data');
  await expect(serve([echo], { listen: { kind: 'unix', path: file } })).rejects.toThrow('is no socket');
  expect(existsSync(file)).toBe(true);
});

/** As after a kill -9: the file is there and nobody listens. A hard link outlives the removal at closing. */
async function leaveSocketBehind(path: string): Promise<void> {
  const { linkSync } = await import('node:fs');
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(`${path}.live`, resolve);
  });
  linkSync(`${path}.live`, path);
  await new Promise((resolve) => {
    server.close(resolve);
  });
}
