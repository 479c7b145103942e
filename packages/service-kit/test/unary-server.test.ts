import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { until } from '@tollgate/testing/until';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { GrpcError } from '../src/grpc.js';
import { startUnaryServer, type UnaryServer, type UnaryServerOptions } from '../src/unary-server.js';

const PATH = '/test.Echo/Echo';
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serve(changes: Partial<UnaryServerOptions> = {}): Promise<UnaryServer> {
  const server = await startUnaryServer({
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    methods: [{ kind: 'unary', path: PATH, answer: (message: Buffer) => message }],
    health: { kind: 'unary', path: '/health', answer: () => Buffer.from('well') },
    watch: { path: '/watch', open: (_, stream) => stream.end() },
    maxReceiveBytes: 1000,
    maxInFlight: 10,
    maxConcurrentStreams: undefined,
    maxConnectionIdleMs: 60_000,
    maxConnectionAgeMs: undefined,
    keepaliveTimeMs: 60_000,
    keepaliveTimeoutMs: 10_000,
    onFailure: () => {},
    ...changes,
  });
  closers.push(() => server.close(100));
  return server;
}

function client(server: UnaryServer): ClientHttp2Session {
  const session = connect(`http://${server.address}`);
  session.on('error', () => {});
  closers.push(() => session.destroy());
  return session;
}

interface Answer {
  headers: IncomingHttpHeaders;
  trailers: IncomingHttpHeaders;
  body: Buffer;
  /** In the trailers, or in the headers of an answer without a body. */
  status: string | undefined;
}

/** Sends these pieces as they are, each in a frame of its own, and returns what came back. */
function call(session: ClientHttp2Session, pieces: readonly Buffer[], headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc', ...headers });
    const answer: Answer = { headers: {}, trailers: {}, body: Buffer.alloc(0), status: undefined };
    stream.on('response', (received) => {
      answer.headers = received;
    });
    stream.on('trailers', (received) => {
      answer.trailers = received;
    });
    stream.on('data', (chunk: Buffer) => {
      answer.body = Buffer.concat([answer.body, chunk]);
    });
    stream.on('error', reject);
    stream.on('close', () => {
      const status = answer.trailers['grpc-status'] ?? answer.headers['grpc-status'];
      resolve({ ...answer, status: status?.toString() });
    });
    void (async () => {
      for (const piece of pieces) {
        if (!stream.writable) return;
        await new Promise((written) => stream.write(piece, written));
        await new Promise((turn) => setImmediate(turn));
      }
      if (stream.writable) stream.end();
    })();
  });
}

const frame = (message: string, flag = 0, length = Buffer.byteLength(message)): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, Buffer.from(message)]);
};

test('a message comes back with status 0 in the trailers', async () => {
  const { headers, trailers, body } = await call(client(await serve()), [frame('hello')]);
  expect(headers).toMatchObject({ ':status': 200, 'content-type': 'application/grpc' });
  expect(body).toEqual(frame('hello'));
  expect(trailers['grpc-status']).toBe('0');
});

test('a message in many pieces is one message', async () => {
  const pieces = [...frame('hello')].map((byte) => Buffer.from([byte]));
  const { body, status } = await call(client(await serve()), pieces);
  expect([body, status]).toEqual([frame('hello'), '0']);
});

test.each([
  ['that is compressed', [frame('hello', 1)], '12'],
  ['that is longer than what is taken', [frame('x'.repeat(1001))], '8'],
  ['that announces more than what is taken, before it comes', [frame('', 0, 0xffffffff)], '8'],
  ['that ends before its end', [frame('hel', 0, 5)], '3'],
  ['that ends in its prefix', [Buffer.from([0, 0])], '3'],
  ['that never came', [], '3'],
])('a message %s is refused with its status', async (_, pieces, expected) => {
  const { status, body } = await call(client(await serve()), pieces);
  expect([status, body.length]).toEqual([expected, 0]);
});

test.each([
  ['another content type', { 'content-type': 'application/json' }],
  ['no POST', { ':method': 'PUT' }],
])('%s is no gRPC: 415', async (_, headers) => {
  const { headers: answer } = await call(client(await serve()), [frame('hello')], headers);
  expect(answer[':status']).toBe(415);
});

test('a method that there is not is told as such', async () => {
  expect((await call(client(await serve()), [frame('x')], { ':path': '/test.Echo/Nothing' })).status).toBe('12');
});

test('an error of ours is told to nobody but us, one for the caller in words', async () => {
  const told: unknown[] = [];
  const answers = [new Error('the password is 1234'), new GrpcError(14, 'Später, 100 % sicher.')];
  const server = await serve({
    methods: [{ kind: 'unary', path: PATH, answer: () => Promise.reject(answers.shift()) }],
    onFailure: (error) => told.push(error),
  });
  const session = client(server);
  const first = await call(session, [frame('x')]);
  expect([first.status, first.headers['grpc-message']]).toEqual(['13', 'Internal error.']);
  expect(told).toHaveLength(1);
  const second = await call(session, [frame('x')]);
  expect([second.status, decodeURIComponent(String(second.headers['grpc-message']))]).toEqual(['14', 'Später, 100 % sicher.']);
});

test('a call that is refused unread gets its answer at once, though its message never ends, and the next one is served', async () => {
  let isFull = true;
  let read = 0;
  const answer = (message: Buffer) => {
    read++;
    return message;
  };
  const refuse = () => (isFull ? Buffer.from('full') : undefined);
  const session = client(await serve({ methods: [{ kind: 'unary', path: PATH, answer, refuse }] }));
  for (let i = 0; i < 3; i++) {
    const { status, body } = await call(session, [Buffer.from([0, 0])]);
    expect([status, body.subarray(5).toString()]).toEqual(['0', 'full']);
  }
  expect(read).toBe(0);
  isFull = false;
  expect((await call(session, [frame('hello')])).body.subarray(5).toString()).toBe('hello');
});

test('beyond the most calls in flight a call is refused at once, health is not', async () => {
  const waiting: (() => void)[] = [];
  const answer = (message: Buffer) => new Promise<Buffer>((resolve) => waiting.push(() => resolve(message)));
  const session = client(await serve({ methods: [{ kind: 'unary', path: PATH, answer }], maxInFlight: 2 }));
  const first = [call(session, [frame('a')]), call(session, [frame('b')])];
  await until(() => waiting.length === 2, 5_000);
  expect((await call(session, [frame('c')])).status).toBe('8');
  expect((await call(session, [frame('')], { ':path': '/health' })).status).toBe('0');
  for (const go of waiting.splice(0)) go();
  expect((await Promise.all(first)).map(({ status }) => status)).toEqual(['0', '0']);
});

test('a caller who has gone before the answer costs nothing', async () => {
  let answerNow = (): void => {};
  const answer = () => new Promise<Buffer>((resolve) => (answerNow = () => resolve(Buffer.alloc(0))));
  let begun = 0;
  const counted = () => {
    begun++;
    return begun === 1 ? answer() : Buffer.from('ok');
  };
  const server = await serve({ methods: [{ kind: 'unary', path: PATH, answer: counted }], maxInFlight: 1 });
  const gone = client(server);
  const lost = call(gone, [frame('x')]).catch(() => 'lost');
  await until(() => begun === 1, 5_000);
  gone.destroy();
  await lost;
  answerNow();
  const session = client(server);
  await until(async () => (await call(session, [frame('x')])).status === '0', 5_000);
});

test('a connection without calls, and one of its age, is closed; its peer opens another', async () => {
  for (const end of [{ maxConnectionIdleMs: 40 }, { maxConnectionAgeMs: 40 }]) {
    const server = await serve(end);
    const session = client(server);
    expect((await call(session, [frame('x')])).status).toBe('0');
    await until(() => session.closed || session.destroyed, 5_000);
    expect((await call(client(server), [frame('x')])).status).toBe('0');
  }
});

test('closing lets a call end, and cuts off one that does not', async () => {
  let answerNow = (): void => {};
  const answer = (message: Buffer) =>
    message.toString() === 'never'
      ? new Promise<Buffer>(() => {})
      : new Promise<Buffer>((resolve) => (answerNow = () => resolve(message)));
  const server = await serve({ methods: [{ kind: 'unary', path: PATH, answer }] });
  const ending = call(client(server), [frame('soon')]);
  const stuck = call(client(server), [frame('never')]).catch(() => ({ status: 'cut off' }));
  await until(async () => (await call(client(server), [frame('')], { ':path': '/health' })).status === '0', 5_000);
  const closed = server.close(500);
  answerNow();
  expect((await ending).status).toBe('0');
  await closed;
  expect((await stuck).status).not.toBe('0');
});

test('no bytes that a stranger sends end it, or the calls of others', async () => {
  const server = await serve();
  const good = client(server);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 }), async (pieces) => {
      await call(client(server), pieces.map(Buffer.from)).catch(() => {});
      expect((await call(good, [frame('still here')])).status).toBe('0');
    }),
    { numRuns: 200 },
  );
});
