import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type CallInfo, clientStreamMethod, GrpcError, type GrpcMethod, unaryMethod } from '@tollgate/service-kit/grpc';
import { startGrpcServer } from '@tollgate/service-kit/grpc-server';
import { createMetrics } from '@tollgate/service-kit/metrics';
import { openTracing, type Tracing } from '@tollgate/service-kit/tracing';
import { type OtlpCollector, startOtlpCollector } from '@tollgate/testing/otlp-collector';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { capturedLog } from './captured-log.js';
import { testClient } from './grpc-client.js';

const PATH = '/test.Echo/Say';
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const SAMPLED = { traceparent: `00-${TRACE}-${CALLER}-01` };
const UNSAMPLED = { traceparent: `00-${TRACE}-${CALLER}-00` };
const TOKEN = 'c4n4ry-token';

async function aCollector(): Promise<OtlpCollector> {
  const collector = await startOtlpCollector();
  onTestFinished(() => collector.close());
  return collector;
}

async function tracingTo(endpoint: string) {
  const captured = capturedLog();
  const metrics = createMetrics('test');
  const settings = { otlpEndpoint: endpoint, otlpHeaders: { authorization: `Bearer ${TOKEN}` } };
  const tracing = (await openTracing({ settings, service: 'echo', log: captured.log, metrics })) as Tracing;
  onTestFinished(() => tracing.close());
  const count = async (result: string): Promise<number> => {
    const line = new RegExp(`^tollgate_trace_spans_total\\{result="${result}".*\\} (\\d+)$`, 'm');
    return Number(line.exec(await metrics.text())?.[1]);
  };
  return { tracing, captured, count };
}

/** A gRPC server with this one method, and a client of it. */
async function serving(method: GrpcMethod, ...others: GrpcMethod[]) {
  const { log, lines } = capturedLog();
  const listen = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;
  const server = await startGrpcServer({ listen, methods: [method, ...others], log, allowPlaintext: false });
  const client = testClient(server.address);
  onTestFinished(async () => {
    client.close();
    await server.close(100);
  });
  return { ask: (text: string, headers: Record<string, string>) => client.unary(PATH, text, headers), lines };
}

/** Answers what it is told, at once or later. */
async function say(words: string, call: CallInfo): Promise<Uint8Array> {
  call.span?.set('tollgate.decision', words);
  if (words === 'busy') throw new GrpcError(8, 'Too much.');
  if (words === 'broken') throw new Error('a fault of ours');
  return Buffer.from(words);
}
const SAY = unaryMethod(PATH, (bytes) => bytes.toString(), say);
/** Its answer is there at once. */
const SAY_NOW = unaryMethod(
  PATH,
  (bytes) => bytes.toString(),
  (words, call) => {
    call.span?.set('tollgate.decision', words);
    if (words === 'busy') throw new GrpcError(8, 'Too much.');
    return Buffer.from(words);
  },
);

const NO_CALL: CallInfo = { header: (name) => (name === 'traceparent' ? SAMPLED.traceparent : undefined) };

/** Has the method answer a sampled call without a server, as often as one likes and at once. */
function sayNow(tracing: Tracing, words: string): string {
  const { answer } = tracing.traced(SAY_NOW) as GrpcMethod & { kind: 'unary' };
  return String(answer(Buffer.from(words), NO_CALL));
}

test.each([
  ['later', SAY],
  ['at once', SAY_NOW],
])('a sampled call whose answer comes %s is one span below that of its caller; any other call is none', async (_, method) => {
  const collector = await aCollector();
  const { tracing, count } = await tracingTo(collector.url);
  const { ask } = await serving(tracing.traced(method));
  expect((await ask('unsampled', UNSAMPLED)).toString()).toBe('unsampled');
  expect((await ask('untraced', {})).toString()).toBe('untraced');
  expect((await ask('of other flags', { traceparent: `00-${TRACE}-${CALLER}-02` })).toString()).toBe('of other flags');
  expect((await ask('malformed', { traceparent: 'x' })).toString()).toBe('malformed');
  expect((await ask('hello', SAMPLED)).toString()).toBe('hello');
  await expect(ask('busy', SAMPLED)).rejects.toMatchObject({ code: 8 });

  await until(() => collector.spans().length >= 2);
  const common = { 'rpc.system': 'grpc', 'rpc.service': 'test.Echo', 'rpc.method': 'Say' };
  const span = { service: 'tollgate-echo', name: 'test.Echo/Say', traceId: TRACE, parentSpanId: CALLER, kind: 'server' };
  expect(collector.spans()).toEqual([
    {
      ...span,
      spanId: expect.any(String),
      isError: false,
      attributes: { ...common, 'tollgate.decision': 'hello', 'rpc.grpc.status_code': 0 },
    },
    // The caller's fault, as the conventions have it.
    {
      ...span,
      spanId: expect.any(String),
      isError: false,
      attributes: { ...common, 'tollgate.decision': 'busy', 'rpc.grpc.status_code': 8 },
    },
  ]);
  const [first] = collector.received;
  expect(first).toMatchObject({
    path: '/v1/traces',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/x-protobuf' },
  });
  await until(async () => (await count('sent')) === 2);
});

/** What has a stream is served by grpc-js. */
const STREAM = clientStreamMethod(
  '/test.Echo/Listen',
  (bytes) => bytes,
  async () => Buffer.from('heard'),
);

test.each([
  ['our own HTTP/2', []],
  ['grpc-js', [STREAM]],
])('on %s a fault of ours is an error in its span, and its log line names the trace, sampled or not', async (_, others) => {
  const collector = await aCollector();
  const { tracing } = await tracingTo(collector.url);
  const { ask, lines } = await serving(tracing.traced(SAY), ...others.map(tracing.traced));
  await expect(ask('broken', SAMPLED)).rejects.toMatchObject({ code: 13 });
  await expect(ask('broken', UNSAMPLED)).rejects.toMatchObject({ code: 13 });
  await expect(ask('broken', {})).rejects.toMatchObject({ code: 13 });
  await until(() => collector.spans().length > 0);
  expect(collector.spans()).toMatchObject([{ isError: true, attributes: { 'rpc.grpc.status_code': 13 } }]);
  expect(lines().map(({ msg, trace_id }) => [msg, trace_id])).toEqual([
    ['a call failed', TRACE],
    ['a call failed', TRACE],
    ['a call failed', undefined],
  ]);
});

test.each(['nobody listens', 'it refuses', 'it hangs'])(
  'where %s, calls are answered as ever, with one line in the log',
  async (trouble) => {
    const collector = await aCollector();
    if (trouble === 'it refuses') collector.behave(400);
    if (trouble === 'it hangs') collector.behave('hang');
    const { tracing, captured, count } = await tracingTo(
      trouble === 'nobody listens' ? `http://127.0.0.1:${await closedPort()}` : collector.url,
    );
    const { ask } = await serving(tracing.traced(SAY_NOW));
    const startMs = performance.now();
    for (let i = 0; i < 100; i++) expect((await ask(`${i}`, SAMPLED)).toString()).toBe(`${i}`);
    expect(performance.now() - startMs).toBeLessThan(2_000);
    await until(async () => (await count('failed')) === 100, 15_000, 'spans that failed');
    expect(await count('sent')).toBe(0);
    expect(captured.lines()).toEqual([expect.objectContaining({ level: 'warn', reason: expect.stringMatching(/./) })]);
    expect(captured.text()).not.toContain(TOKEN);
  },
);

test('so many spans wait and no more, and those that find no room are counted', async () => {
  const collector = await aCollector();
  collector.behave('hang');
  const { tracing, count } = await tracingTo(collector.url);
  for (let i = 0; i < 3_000; i++) expect(sayNow(tracing, 'x')).toBe('x');
  expect(await count('dropped')).toBe(3_000 - 2_048);
  // When the collector has been given up, there is room again.
  await until(async () => (await count('failed')) > 0, 15_000, 'an export that was given up');
  sayNow(tracing, 'x');
  expect(await count('dropped')).toBe(3_000 - 2_048);
});

test('what waits is sent at the end, which a collector that hangs does not hold up', async () => {
  const collector = await aCollector();
  const last = await tracingTo(collector.url);
  sayNow(last.tracing, 'last');
  await last.tracing.close();
  expect(collector.spans()).toMatchObject([{ attributes: { 'tollgate.decision': 'last' } }]);

  collector.behave('hang');
  const lost = await tracingTo(collector.url);
  sayNow(lost.tracing, 'lost');
  const startMs = performance.now();
  await lost.tracing.close();
  expect(performance.now() - startMs).toBeLessThan(1_000);
});

test('without an endpoint there is no tracing', async () => {
  const settings = { otlpEndpoint: undefined, otlpHeaders: { authorization: TOKEN } };
  const { log } = capturedLog();
  expect(await openTracing({ settings, service: 'echo', log, metrics: createMetrics('test') })).toBeUndefined();
});

/** One on which nobody listens any more. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
