import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CollectedSpan, type OtlpCollector, startOtlpCollector } from '@tollgate/testing/otlp-collector';
import { until } from '@tollgate/testing/until';
import { beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from './gateway.js';
import { type Key, type Operator, operate } from './operator.js';
import { startUpstream, type Upstream } from './upstream.js';

const TOKEN = 'c4n4ry-token=1, of "a" \\ collector';
const SERVICES = ['tollgate-gateway', 'tollgate-authz', 'tollgate-ratelimit'];
const DECISION_MS = 1_000;

let collector: OtlpCollector;
let upstream: Upstream;
let gateway: Gateway;
let operator: Operator;
let key: Key;

beforeAll(async () => {
  collector = await startOtlpCollector();
  upstream = await startUpstream();
  const env = {
    UPSTREAM_URL: upstream.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/otlp/`,
    OTEL_EXPORTER_OTLP_HEADERS: `x-token=${encodeURIComponent(TOKEN)}`,
    // Only callers who ask for it are traced.
    OTEL_TRACES_SAMPLER_ARG: '0',
  };
  gateway = await startGateway({ env });
  operator = operate(gateway);
  key = await operator.newcomer('premium');
  return async () => {
    await operator.close();
    await gateway.close();
    await Promise.all([upstream.close(), collector.close()]);
  };
});

interface Asked {
  traceId: string;
  /** The caller's own span. */
  spanId: string;
  header: string;
}

function aTrace(flags: '00' | '01'): Asked {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, header: `00-${traceId}-${spanId}-${flags}` };
}

function ask(path: string, headers: Record<string, string>, { secret } = key) {
  return gateway.ask(path, { headers: { 'x-api-key': secret, ...headers } });
}

/** All spans of a trace, once every service has sent its own. */
async function spansOf({ traceId }: Asked, services = SERVICES): Promise<CollectedSpan[]> {
  await until(
    () => services.every((service) => collector.spans(traceId).some((span) => span.service === service)),
    15_000,
    'spans',
  );
  return collector.spans(traceId);
}

function only(spans: readonly CollectedSpan[], service: string, kind: CollectedSpan['kind']): CollectedSpan {
  const found = spans.filter((span) => span.service === service && span.kind === kind);
  expect(found).toHaveLength(1);
  return found[0] as CollectedSpan;
}

test('a request is one trace: below its caller Envoy, below Envoy what it asked of authz, ratelimit and the upstream', async () => {
  const trace = aTrace('01');
  const { status, headers } = await ask('/traced', { traceparent: trace.header });
  expect(status).toBe(200);
  const spans = await spansOf(trace);
  const bySpanId = new Map(spans.map((span) => [span.spanId, span]));

  const request = only(spans, 'tollgate-gateway', 'server');
  expect(request).toMatchObject({ name: 'GET default', parentSpanId: trace.spanId });
  const requestId = headers['x-request-id'];
  expect(requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/);
  expect(request.attributes).toMatchObject({
    'http.route': 'default',
    'http.status_code': '200',
    'guid:x-request-id': requestId,
  });
  const authz = only(spans, 'tollgate-authz', 'server');
  expect(authz).toMatchObject({
    name: 'envoy.service.auth.v3.Authorization/Check',
    isError: false,
    attributes: {
      'rpc.system': 'grpc',
      'rpc.service': 'envoy.service.auth.v3.Authorization',
      'rpc.method': 'Check',
      'rpc.grpc.status_code': 0,
      'tollgate.decision': 'allowed',
    },
  });
  const ratelimit = only(spans, 'tollgate-ratelimit', 'server');
  expect(ratelimit).toMatchObject({
    name: 'envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
    attributes: { 'rpc.system': 'grpc', 'tollgate.decision': 'allowed', 'tollgate.degraded': false },
  });
  for (const span of [authz, ratelimit]) {
    const call = bySpanId.get(span.parentSpanId);
    expect(call).toMatchObject({ service: 'tollgate-gateway', kind: 'client', parentSpanId: request.spanId });
  }
  const [, traceId, spanId = '', flags] = String(upstream.last('/traced').headers['traceparent']).split('-');
  expect({ traceId, flags }).toEqual({ traceId: trace.traceId, flags: '01' });
  expect(bySpanId.get(spanId)).toMatchObject({ service: 'tollgate-gateway', kind: 'client', parentSpanId: request.spanId });
  expect(spans).toHaveLength(6);
});

test('of a request that its caller does not sample, that names no trace, or that asks for health, there is nothing; the upstream is told so', async () => {
  const [unsampled, sampled] = [Array.from({ length: 20 }, () => aTrace('00')), Array.from({ length: 20 }, () => aTrace('01'))];
  const unwanted = [...unsampled];
  for (const [i, trace] of unsampled.entries()) {
    expect((await ask('/unsampled', { traceparent: trace.header })).status).toBe(200);
    expect(upstream.last('/unsampled').headers['traceparent']).toMatch(new RegExp(`^00-${trace.traceId}-[0-9a-f]{16}-00$`));
    expect((await ask('/untraced', {})).status).toBe(200);
    expect(upstream.last('/untraced').headers['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    const probe = aTrace('01');
    unwanted.push(probe);
    const path = ['/health', '/health/live', '/health/ready'][i % 3] ?? '';
    expect((await gateway.ask(path, { headers: { traceparent: probe.header } })).status).toBe(200);
    // Over all of Envoy's workers, so that what they had before would have come by the time this one has.
    await ask('/sampled', { traceparent: sampled[i]?.header ?? '' });
  }
  for (const trace of sampled) await spansOf(trace);
  const asked = new Set(collector.spans().map(({ traceId }) => traceId));
  for (const { traceId } of unwanted) expect(asked).not.toContain(traceId);
  const known = new Set(sampled.map(({ traceId }) => traceId));
  const others = [...asked].filter((traceId) => !known.has(traceId));
  // That of the test before.
  expect(others.length).toBeLessThanOrEqual(1);
});

test('a refusal tells its reason, and no span holds a key, who called, or the token of the collector', async () => {
  const denied = aTrace('01');
  const secret = `${key.secret.slice(0, -1)}${key.secret.endsWith('a') ? 'b' : 'a'}`;
  expect((await ask('/denied', { traceparent: denied.header }, { secret } as Key)).status).toBe(401);
  const [authz] = (await spansOf(denied, ['tollgate-gateway', 'tollgate-authz'])).filter(
    ({ service }) => service === 'tollgate-authz',
  );
  expect(authz?.attributes).toMatchObject({ 'tollgate.decision': 'denied', 'tollgate.reason': 'malformed_api_key' });

  const careless = aTrace('01');
  const answer = await ask(`/by-mistake/${key.secret}?key=${key.secret}`, {
    traceparent: careless.header,
    tracestate: 'vendor=1',
    authorization: `Bearer ${key.secret}`,
  });
  expect(answer.status).toBe(200);
  await spansOf(careless);

  expect(collector.received.length).toBeGreaterThan(0);
  for (const { path, headers, body } of collector.received) {
    expect(path).toBe('/otlp/v1/traces');
    expect(headers['x-token']).toBe(TOKEN);
    for (const part of [key.secret.slice(12), key.organizationId, key.keyId, 'c4n4ry']) expect(body.includes(part)).toBe(false);
  }
});

test.each(['hangs', 'refuses', 'is gone'])('a collector that %s changes no decision and fills no log', async (trouble) => {
  if (trouble === 'hangs') collector.behave('hang');
  else if (trouble === 'refuses') collector.behave(400);
  else await collector.close();
  const before = await logLines();
  for (let i = 0; i < 60; i++) {
    const startMs = performance.now();
    const { status } = await ask('/in-trouble', { traceparent: aTrace('01').header });
    expect(status).toBe(200);
    expect(performance.now() - startMs).toBeLessThan(DECISION_MS);
  }
  const refused = await ask('/in-trouble', { traceparent: aTrace('01').header }, { secret: 'sk_live_wrong' } as Key);
  expect(refused.status).toBe(401);
  // It was said once, in the first of these troubles, by each of both services.
  await until(
    async () => (await logLines()).filter(({ msg }) => msg.startsWith('traces cannot be sent')).length === 2,
    15_000,
    'lines',
  );
  const news = (await logLines()).slice(before.length);
  expect(news.filter(({ msg }) => !msg.startsWith('traces cannot be sent'))).toEqual([]);
});

test('the token of the collector stands in no file, in the log no more than in the configuration of Envoy', async () => {
  for (const file of ['tollgate.log', 'envoy/envoy.yaml', 'envoy/envoy.log', 'gateway.json'])
    expect(await readFile(join(gateway.folder, file), 'utf8'), file).not.toContain('c4n4ry');
});

async function logLines(): Promise<{ msg: string }[]> {
  const text = await readFile(join(gateway.folder, 'tollgate.log'), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as { msg: string });
}
