import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { encodeHeaders } from '../../src/http2/encode-headers.js';
import {
  ERROR,
  FLAG,
  frame,
  pingFrame,
  resetFrame,
  SETTING,
  settingsFrame,
  TYPE,
  windowUpdateFrame,
} from '../../src/http2/frames.js';
import { startUnaryServer, type UnaryServer, type UnaryServerOptions } from '../../src/unary-server.js';
import { EMPTY, HEAD, head, message, OPENING, openRawClient, type RawClient } from './raw-client.js';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Calls that are held until somebody lets them go. */
const held: ((bytes: Buffer) => void)[] = [];

async function serve(changes: Partial<UnaryServerOptions> = {}): Promise<UnaryServer> {
  const echo = (bytes: Buffer) => bytes;
  const server = await startUnaryServer({
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    methods: [
      { kind: 'unary', path: '/test.Echo/Echo', answer: echo },
      { kind: 'unary', path: '/test.Echo/Held', answer: () => new Promise<Buffer>((resolve) => held.push(resolve)) },
    ],
    health: { kind: 'unary', path: '/health', answer: echo },
    watch: { path: '/watch', open: (_, stream) => stream.end() },
    maxReceiveBytes: 200_000,
    maxInFlight: 100,
    maxConcurrentStreams: 3,
    maxConnectionIdleMs: 60_000,
    maxConnectionAgeMs: undefined,
    keepaliveTimeMs: 60_000,
    keepaliveTimeoutMs: 10_000,
    onFailure: (error) => {
      throw error;
    },
    ...changes,
  });
  closers.push(() => server.close(50));
  return server;
}

async function peer(server?: UnaryServer): Promise<RawClient> {
  const client = await openRawClient((server ?? (await serve())).address);
  closers.push(client.destroy);
  return client;
}

const HELD = HEAD.map(([name, value]) => (name === ':path' ? ([name, '/test.Echo/Held'] as const) : ([name, value] as const)));
const byte = (value: number) => Buffer.from([value]);
const named = (name: string, value: string) => head(1, [...HEAD, [name, value]]);
const without = (name: string) =>
  head(
    1,
    HEAD.filter((field) => field[0] !== name),
  );
const BIG = frame(TYPE.data, 0, 1, Buffer.alloc(16_384));

/** RFC 9113 with its sections; what h2spec tries too. */
test.each<[string, Uint8Array[], number]>([
  ['no HTTP/2 at all', [Buffer.from('GET / HTTP/1.1\r\nHost: test\r\n\r\n')], ERROR.protocol],
  ['3.4 no settings at the beginning', [OPENING.subarray(0, 24), pingFrame(Buffer.alloc(8), false)], ERROR.protocol],
  ['4.2 a frame that is too long', [OPENING, head(1), frame(TYPE.data, 0, 1, Buffer.alloc(16_385))], ERROR.frameSize],
  ['4.3 headers that are no HPACK', [OPENING, frame(TYPE.headers, FLAG.endHeaders, 1, byte(0xff))], ERROR.compression],
  [
    '4.3 an entry of the table that is not there',
    [OPENING, frame(TYPE.headers, FLAG.endHeaders, 1, byte(0xbe))],
    ERROR.compression,
  ],
  ['4.3 another frame between headers', [OPENING, head(1, HEAD, 0), head(3)], ERROR.protocol],
  ['4.3 another stream between headers', [OPENING, head(1, HEAD, 0), frame(TYPE.continuation, 4, 3, EMPTY)], ERROR.protocol],
  ['5.1 a body before its call', [OPENING, message(1, 'x')], ERROR.protocol],
  ['5.1 the end of no call', [OPENING, resetFrame(1, ERROR.cancel)], ERROR.protocol],
  ['5.1 a window of no call', [OPENING, windowUpdateFrame(1, 1)], ERROR.protocol],
  ['5.1 headers after the end', [OPENING, head(1), message(1, 'x'), head(1)], ERROR.streamClosed],
  ['5.1 a body after the end', [OPENING, head(1), message(1, 'x'), message(1, 'x')], ERROR.streamClosed],
  ['5.1.1 a call with an even number', [OPENING, head(2)], ERROR.protocol],
  ['5.1.1 a call with a smaller number', [OPENING, head(5), message(5, 'x'), head(3)], ERROR.streamClosed],
  ['6.1 a body of no stream', [OPENING, frame(TYPE.data, 0, 0, byte(0))], ERROR.protocol],
  ['6.1 more padding than frame', [OPENING, head(1), frame(TYPE.data, FLAG.padded, 1, Buffer.from([9, 1]))], ERROR.protocol],
  ['6.1 padding without its length', [OPENING, head(1), frame(TYPE.data, FLAG.padded, 1, EMPTY)], ERROR.frameSize],
  ['6.2 headers of no stream', [OPENING, head(0)], ERROR.protocol],
  ['6.3 a priority of four bytes', [OPENING, frame(TYPE.priority, 0, 1, Buffer.alloc(4))], ERROR.frameSize],
  ['6.4 an end of three bytes', [OPENING, head(1), frame(TYPE.reset, 0, 1, Buffer.alloc(3))], ERROR.frameSize],
  ['6.5 settings of a stream', [OPENING, frame(TYPE.settings, 0, 1, EMPTY)], ERROR.protocol],
  ['6.5 settings of five bytes', [OPENING, frame(TYPE.settings, 0, 0, Buffer.alloc(5))], ERROR.frameSize],
  ['6.5 an acknowledgement with content', [OPENING, frame(TYPE.settings, FLAG.ack, 0, Buffer.alloc(6))], ERROR.frameSize],
  ['6.5.2 push that is neither', [OPENING, settingsFrame([[SETTING.enablePush, 2]])], ERROR.protocol],
  ['6.5.2 a window beyond bounds', [OPENING, settingsFrame([[SETTING.initialWindowSize, 2 ** 31]])], ERROR.flowControl],
  ['6.5.2 frames beyond bounds', [OPENING, settingsFrame([[SETTING.maxFrameSize, 1]])], ERROR.protocol],
  ['6.6 a promise', [OPENING, frame(TYPE.pushPromise, 4, 1, Buffer.alloc(4))], ERROR.protocol],
  ['6.7 a ping of six bytes', [OPENING, pingFrame(Buffer.alloc(6), false)], ERROR.frameSize],
  ['6.8 a goodbye of one stream', [OPENING, frame(TYPE.goaway, 0, 1, Buffer.alloc(8))], ERROR.protocol],
  ['6.9 a window of nothing', [OPENING, windowUpdateFrame(0, 0)], ERROR.protocol],
  ['6.9.1 windows beyond bounds', [OPENING, windowUpdateFrame(0, 2 ** 31 - 1)], ERROR.flowControl],
  ['6.10 headers that go on without a beginning', [OPENING, frame(TYPE.continuation, 4, 1, EMPTY)], ERROR.protocol],
  [
    '10.5.1 headers without an end',
    [OPENING, head(1, HEAD, 0), ...Array.from({ length: 5 }, () => frame(TYPE.continuation, 0, 1, Buffer.alloc(16_000)))],
    ERROR.enhanceYourCalm,
  ],
  [
    '10.5.1 headers that are small only on the wire',
    [OPENING, named('x', 'y'.repeat(4_000)), frame(TYPE.headers, 4, 3, Buffer.concat([bomb(), Buffer.alloc(60, 0xbe)]))],
    ERROR.enhanceYourCalm,
  ],
])('%s ends the connection with its code', async (_, bytes, code) => {
  const client = await peer();
  client.send(...bytes);
  const goaway = await client.frame(TYPE.goaway);
  expect(goaway.payload.readUInt32BE(4)).toBe(code);
  await client.closed();
});

/** One large field, put into the table: then one byte stands for it. */
function bomb(): Buffer {
  const value = Buffer.from('y'.repeat(3_000));
  const length = Buffer.from([0x7f, ((value.length - 127) % 128) | 0x80, Math.floor((value.length - 127) / 128)]);
  return Buffer.concat([Buffer.from([0x40, 1]), Buffer.from('x'), length, value]);
}

test.each<[string, Uint8Array[], number]>([
  ['8.2 a name in upper case', [named('X-Test', 'y')], ERROR.protocol],
  ['8.2 a name with a blank', [named('x test', 'y')], ERROR.protocol],
  ['8.2.2 a header of HTTP/1.1', [named('connection', 'close')], ERROR.protocol],
  ['8.2.2 te that is no trailers', [named('te', 'gzip')], ERROR.protocol],
  ['8.3 a pseudo-header after the others', [named(':method', 'POST')], ERROR.protocol],
  ['8.3 a pseudo-header of answers', [head(1, [[':status', '200'], ...HEAD])], ERROR.protocol],
  ['8.3 a pseudo-header twice', [head(1, [[':method', 'POST'], ...HEAD])], ERROR.protocol],
  ['8.3.1 no method', [without(':method')], ERROR.protocol],
  ['8.3.1 no path', [without(':path')], ERROR.protocol],
  ['8.3.1 no scheme', [without(':scheme')], ERROR.protocol],
  ['8.1.1 a length that the body has not', [named('content-length', '7'), message(1, 'xyz')], ERROR.protocol],
  [
    '8.1 headers after the body that are not its end',
    [head(1), frame(TYPE.headers, 4, 1, encodeHeaders([['x', 'y']]))],
    ERROR.protocol,
  ],
  ['8.1 a pseudo-header after the body', [head(1), head(1, [[':path', '/']], 5)], ERROR.protocol],
  ['6.9 a window of nothing', [head(1), windowUpdateFrame(1, 0)], ERROR.protocol],
  ['6.9.1 a window beyond bounds', [head(1), windowUpdateFrame(1, 2 ** 31 - 1)], ERROR.flowControl],
  ['6.9 a body for which there is no room', [head(1), ...Array.from({ length: 17 }, () => BIG)], ERROR.none],
])('%s ends the call with its code, and no other', async (_, bytes, code) => {
  const client = await peer();
  client.send(OPENING, ...bytes);
  const reset = await client.frame(TYPE.reset, 1);
  expect(reset.payload.readUInt32BE(0)).toBe(code);
  client.send(head(3), message(3, 'still here'));
  expect((await client.frame(TYPE.data, 3)).payload.subarray(5).toString()).toBe('still here');
});

test('a call in pieces is one call: padded, with a priority, its headers in many frames, one byte at a time', async () => {
  const client = await peer();
  const block = encodeHeaders(HEAD);
  const first = Buffer.concat([byte(3), Buffer.alloc(5), block.subarray(0, 10), Buffer.alloc(3)]);
  const text = message(1, 'hello').subarray(9);
  const call = Buffer.concat([
    OPENING,
    frame(TYPE.headers, FLAG.padded | FLAG.priority, 1, first),
    frame(TYPE.continuation, 0, 1, block.subarray(10, 20)),
    frame(TYPE.continuation, FLAG.endHeaders, 1, block.subarray(20)),
    frame(0xbb, 0xff, 1, Buffer.from('unknown')),
    frame(TYPE.data, FLAG.padded, 1, Buffer.concat([byte(2), text.subarray(0, 7), Buffer.alloc(2)])),
    frame(TYPE.data, 0, 1, text.subarray(7)),
    frame(TYPE.headers, FLAG.endHeaders | FLAG.endStream, 1, encodeHeaders([['x', 'after']])),
  ]);
  for (const each of call) client.send(byte(each));
  expect((await client.frame(TYPE.data, 1)).payload.subarray(5).toString()).toBe('hello');
});

test('an answer waits for the windows of its reader, of the call and of the connection, and then goes on', async () => {
  const client = await peer();
  const text = 'x'.repeat(70_000);
  client.send(OPENING, settingsFrame([[SETTING.initialWindowSize, 10]]), head(1));
  for (let at = 0; at < text.length; at += 10_000) {
    const piece = message(1, text)
      .subarray(9)
      .subarray(at, at + 10_000);
    client.send(frame(TYPE.data, 0, 1, piece));
  }
  client.send(frame(TYPE.data, FLAG.endStream, 1, message(1, text).subarray(9).subarray(70_000)));
  const bytesOf = () =>
    client.received.filter(({ type }) => type === TYPE.data).reduce((sum, { payload }) => sum + payload.length, 0);
  const answered = async (payload: string) => {
    client.send(pingFrame(Buffer.from(payload), false));
    await expect
      .poll(() => client.received.some((each) => each.type === TYPE.ping && each.payload.toString() === payload))
      .toBe(true);
    return bytesOf();
  };
  expect(await answered('settings')).toBe(10);
  client.send(windowUpdateFrame(1, 90));
  expect(await answered('a little')).toBe(100);
  client.send(settingsFrame([[SETTING.initialWindowSize, 100_000]]));
  expect(await answered('the rest')).toBe(65_535);
  client.send(windowUpdateFrame(0, 100_000));
  await expect.poll(bytesOf).toBe(70_005);
  const trailers = client.received.filter(({ type, flags }) => type === TYPE.headers && (flags & FLAG.endStream) !== 0);
  expect(trailers).toHaveLength(1);
});

test('what one write asks is answered in one write', async () => {
  const client = await peer(await serve({ maxConcurrentStreams: undefined }));
  client.send(OPENING);
  await client.frame(TYPE.settings);
  const before = client.pieces();
  client.send(...Array.from({ length: 50 }, (_, i) => Buffer.concat([head(2 * i + 1), message(2 * i + 1, 'hi')])));
  await expect.poll(() => client.received.filter(({ type }) => type === TYPE.data).length).toBe(50);
  expect(client.pieces() - before).toBe(1);
});

test('calls beyond what is taken at once are refused, so that their caller may send them elsewhere', async () => {
  const client = await peer();
  client.send(OPENING, ...[1, 3, 5, 7].map((id) => Buffer.concat([head(id, HELD), message(id, 'x')])));
  expect((await client.frame(TYPE.reset, 7)).payload.readUInt32BE(0)).toBe(ERROR.refusedStream);
  for (const letGo of held.splice(0)) letGo(Buffer.from('done'));
  await client.frame(TYPE.data, 5);
});

test('a caller who gives up gets no answer, and its place is free', async () => {
  const client = await peer();
  client.send(OPENING, ...[1, 3, 5].map((id) => Buffer.concat([head(id, HELD), message(id, 'x'), resetFrame(id, ERROR.cancel)])));
  client.send(head(7), message(7, 'next'));
  await client.frame(TYPE.data, 7);
  for (const letGo of held.splice(0)) letGo(Buffer.from('late'));
  client.send(head(9), message(9, 'and next'));
  await client.frame(TYPE.data, 9);
  expect(client.received.filter(({ type }) => type === TYPE.data).map(({ stream }) => stream)).toEqual([7, 9]);
});

test('closing loses no call that was on its way when the news came', async () => {
  const server = await serve();
  const client = await peer(server);
  client.send(OPENING, head(1, HELD), message(1, 'x'));
  await expect.poll(() => held.length).toBe(1);
  const closed = server.close(5_000);
  const notice = await client.frame(TYPE.goaway);
  expect([notice.payload.readUInt32BE(0), notice.payload.readUInt32BE(4)]).toEqual([0x7fffffff, ERROR.none]);
  // It crosses the news; then the news is answered, and whatever comes after that is refused.
  client.send(head(3), message(3, 'crossed'));
  const ping = await client.frame(TYPE.ping);
  client.send(pingFrame(ping.payload, true), head(5), message(5, 'too late'));
  expect((await client.frame(TYPE.data, 3)).payload.subarray(5).toString()).toBe('crossed');
  expect((await client.frame(TYPE.reset, 5)).payload.readUInt32BE(0)).toBe(ERROR.refusedStream);
  held.splice(0)[0]?.(Buffer.from('done'));
  await client.frame(TYPE.data, 1);
  await client.closed();
  await closed;
  expect(client.received.findLast(({ type }) => type === TYPE.goaway)?.payload.readUInt32BE(0)).toBe(3);
});

test('whoever does not read its answers is not read either', async () => {
  const server = await serve({ maxConcurrentStreams: undefined });
  const client = await peer(server);
  client.send(OPENING, windowUpdateFrame(0, 2 ** 30), settingsFrame([[SETTING.initialWindowSize, 2 ** 30]]));
  client.pause();
  const text = 'x'.repeat(16_000);
  let sent = 0;
  while (client.isTaken() && sent < 10_000) {
    client.send(head(2 * sent + 1), message(2 * sent + 1, text));
    sent++;
    await new Promise((turn) => setImmediate(turn));
  }
  expect(sent).toBeLessThan(10_000);
  client.resume();
  await expect.poll(() => client.received.filter(({ type }) => type === TYPE.data).length, { timeout: 20_000 }).toBe(sent);
});

test('no frames that a stranger sends end the server, or the calls of others', async () => {
  const server = await serve();
  const anyFrame = fc
    .tuple(
      fc.integer({ min: 0, max: 11 }),
      fc.nat(255),
      fc.constantFrom(0, 1, 1, 1, 3, 3, 5, 2),
      fc.uint8Array({ maxLength: 60 }),
    )
    .map(([type, flags, stream, payload]) => frame(type, flags, stream, payload));
  const piece = fc.oneof(anyFrame, fc.constantFrom(head(1), head(3), message(1, 'x'), message(3, 'y'), head(5, HEAD, 0)));
  const other = await peer(server);
  other.send(OPENING);
  let call = 1;
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 12 }), async (pieces) => {
      const stranger = await openRawClient(server.address);
      stranger.send(OPENING, ...pieces);
      other.send(head(call), message(call, 'well?'));
      await other.frame(TYPE.data, call);
      other.received.length = 0;
      call += 2;
      stranger.destroy();
    }),
    { numRuns: 300 },
  );
});
