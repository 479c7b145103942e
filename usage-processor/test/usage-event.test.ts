import { parseUsageEvent } from '@tollgate/domain/usage-event';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type EndedRequest, type UsageEventSettings, usageEventFrom } from '../src/usage-event.js';
import { anEndedRequest, identity, KEY_ID, ORGANIZATION_ID } from './an-ended-request.js';

const SETTINGS: UsageEventSettings = { path: 'full', identityNamespaces: ['envoy.filters.http.ext_authz'] };

function outcomeOf(changes: Partial<EndedRequest>, settings: Partial<UsageEventSettings> = {}) {
  return usageEventFrom(anEndedRequest(changes), { ...SETTINGS, ...settings });
}

function eventOf(changes: Partial<EndedRequest>, settings: Partial<UsageEventSettings> = {}) {
  const outcome = outcomeOf(changes, settings);
  if (outcome.kind !== 'event') throw new Error(`no event but ${outcome.kind}: ${outcome.reason}`);
  return outcome.event;
}

test('an ended request becomes the event that the event log carries', () => {
  expect(eventOf({})).toEqual({
    v: 1,
    event_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    time: '2026-11-23T09:59:48.123456Z',
    request_id: '3d0a3b2e-5d3f-4f5e-9a51-2f1f4d7e8a10',
    organization_id: ORGANIZATION_ID,
    api_key_id: KEY_ID,
    environment: 'live',
    method: 'GET',
    path: '/v1/orders',
    route: 'orders',
    status_code: 200,
    response_time_ms: 12.3,
    request_bytes: 0,
    response_bytes: 512,
    billable: true,
    units: 1,
    origin: 'upstream',
    node_id: 'edge-1',
  });
});

test('an event tells which limit in shadow mode would have denied its request, and no other decision does', () => {
  const limiterSaid = (fields: Record<string, unknown>) =>
    eventOf({ metadata: { ...identity(), 'envoy.filters.http.ratelimit': fields } }).shadow_limited;
  expect(limiterSaid({ decision: 'shadow', limit: 'day' })).toBe('day');
  expect(limiterSaid({ decision: 'shadow', limit: 'year' })).toBeUndefined();
  expect(limiterSaid({ decision: 'limited', limit: 'day' })).toBeUndefined();
});

test('a path with a key in it, put there by mistake, is not kept', () => {
  const key = 'sk_live_c5z72vzbbd3m1hf5fmomejqhggp8s23o';
  expect(eventOf({ path: `/v1/${key}/orders` }).path).toBe('');
  expect(eventOf({ path: `/${'x'.repeat(495)}/${key.toUpperCase()}` }).path).not.toMatch(/C5Z7/i);
});

const byUpstream = (statusCode: number) => ({ statusCode, upstreamAnswered: true });
const byGateway = (statusCode: number) => ({ statusCode, upstreamAnswered: false });

test.each([
  ['upstream 200', byUpstream(200), 'upstream', true],
  ['upstream 204', byUpstream(204), 'upstream', true],
  ['upstream 400', byUpstream(400), 'upstream', true],
  ['upstream 404', byUpstream(404), 'upstream', true],
  ['upstream 429 of its own', byUpstream(429), 'upstream', true],
  ['upstream 103', byUpstream(103), 'upstream', false],
  ['upstream 301', byUpstream(301), 'upstream', false],
  ['upstream 304', byUpstream(304), 'upstream', false],
  ['upstream 500', byUpstream(500), 'upstream', false],
  ['upstream 503', byUpstream(503), 'upstream', false],
  ...[0, 1, 3, 5, 6, 7, 8, 9, 10, 11, 16].map((grpcStatus) => [
    `gRPC status ${grpcStatus}, OK or the caller's fault`,
    { ...byUpstream(200), grpcStatus },
    'upstream',
    true,
  ]),
  ...[2, 4, 12, 13, 14, 15].map((grpcStatus) => [
    `gRPC status ${grpcStatus}, the server's fault`,
    { ...byUpstream(200), grpcStatus },
    'upstream',
    false,
  ]),
  ['body cut by the upstream or its timeout', { ...byUpstream(200), cutByUpstream: true }, 'upstream', false],
  ['caller left after the first byte of a 200', byUpstream(200), 'upstream', true],
  ['caller left before any answer', byGateway(0), 'gateway', false],
  ['websocket', byUpstream(101), 'upstream', true],
  ...[429, 502, 503, 504, 404, 413].map((status) => [`the gateway answered ${status}`, byGateway(status), 'gateway', false]),
  ['environment test', { ...byUpstream(200), metadata: identity('test') }, 'upstream', false],
] as [string, Partial<EndedRequest>, string, boolean][])(
  '%s: origin and billable are those of the contract',
  (_, changes, origin, billable) => {
    expect(eventOf(changes)).toMatchObject({ origin, billable, units: 1 });
  },
);

test.each([
  ['no metadata', {}],
  ['no organization', { 'envoy.filters.http.ext_authz': { ext_authz_duration: 3 } }],
  ['an organization in a namespace that nobody named', { other: identity()['envoy.filters.http.ext_authz'] }],
])('%s is not usage', (_, metadata) => {
  expect(outcomeOf({ metadata })).toEqual({ kind: 'not-usage', reason: 'no-organization' });
});

test('identity is taken from the first namespace that holds one', () => {
  const metadata = { lease: identity('test')['envoy.filters.http.ext_authz'], ...identity('live') };
  const identityNamespaces = ['absent', 'lease', 'envoy.filters.http.ext_authz'];
  expect(eventOf({ metadata }, { identityNamespaces }).environment).toBe('test');
});

test.each([
  ['no stream id', { streamId: '' }, 'no-stream-id'],
  ['no start time', { startMicros: undefined }, 'no-start-time'],
  ['a start before 1970', { startMicros: -1n }, 'no-start-time'],
  ['a start in the year 10000', { startMicros: 253_402_300_800_000_000n }, 'no-start-time'],
  [
    'an organization that is no UUID',
    { metadata: { 'envoy.filters.http.ext_authz': { organization_id: 'acme' } } },
    'bad-identity',
  ],
  [
    'no key',
    { metadata: { 'envoy.filters.http.ext_authz': { organization_id: ORGANIZATION_ID, environment: 'live' } } },
    'bad-identity',
  ],
  ['an unknown environment', { metadata: identity('staging') }, 'bad-identity'],
] as [string, Partial<EndedRequest>, string][])('%s is refused', (_, changes, reason) => {
  expect(outcomeOf(changes)).toEqual({ kind: 'refused', reason });
});

test('the id is the same for the same entry and another for another node, stream or start', () => {
  const ids = [{}, { nodeId: 'edge-2' }, { streamId: 'x' }, { startMicros: 1n }].map((changes) => eventOf(changes).event_id);
  expect(new Set(ids).size).toBe(4);
  expect(eventOf({ statusCode: 500, path: '/' }).event_id).toBe(ids[0]);
});

test.each([
  ['0', 0, false],
  ['42', 42, false],
  ['1000000', 1_000_000, false],
  ['1000001', 1, true],
  ['-1', 1, true],
  ['1.5', 1, true],
  ['1e3', 1, true],
  ['', 1, true],
  ['7,7', 1, true],
  [' 7', 1, true],
  [7, 1, true],
  [undefined, 1, false],
])('x-usage-units %j counts as %i, and nonsense is counted', (units, expected, hasBadUnits) => {
  const outcome = outcomeOf({ metadata: { ...identity(), tollgate: { units } } });
  expect(outcome).toMatchObject({ kind: 'event', hasBadUnits, event: { units: expected } });
});

test('units of an answer that the gateway made are not the upstream’s', () => {
  expect(eventOf({ ...byGateway(503), metadata: { ...identity(), tollgate: { units: '50' } } }).units).toBe(1);
});

test('a request that no limiter saw is marked', () => {
  expect(outcomeOf({})).toMatchObject({ isUnlimited: false });
  expect(outcomeOf({ metadata: identity() })).toMatchObject({ isUnlimited: true });
});

test.each([
  ['full', '/v1/orders', 'orders'],
  ['route', '', 'orders'],
  ['off', '', ''],
] as const)('USAGE_PATH=%s keeps path %j and route %j', (path, expectedPath, expectedRoute) => {
  expect(eventOf({}, { path })).toMatchObject({ path: expectedPath, route: expectedRoute });
});

test('a path is cut to 512 bytes and never inside a character', () => {
  const lengths = ['a', 'ü', '€', '😀'].map((character) => {
    const { path } = eventOf({ path: `/${character.repeat(600)}?q` });
    expect(path).not.toContain('\uFFFD');
    return Buffer.byteLength(path);
  });
  expect(lengths).toEqual([512, 511, 511, 509]);
});

const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 700 }), fc.string({ maxLength: 20 }), fc.constant('\uD800\0'));
const anyRequest = fc.record<EndedRequest>({
  nodeId: anyText,
  streamId: anyText,
  startMicros: fc.oneof(
    fc.constant(undefined),
    fc.bigInt({ min: -(10n ** 19n), max: 10n ** 19n }),
    fc.bigInt({ min: 1_795_000_000_000_000n, max: 1_795_999_000_000_000n }),
  ),
  metadata: fc.oneof(
    fc.constant({ ...identity(), 'envoy.filters.http.ratelimit': { decision: 'x' } }),
    fc.dictionary(
      fc.constantFrom('envoy.filters.http.ext_authz', 'tollgate', '__proto__'),
      fc.dictionary(anyText, fc.anything()),
    ),
    fc.record({
      'envoy.filters.http.ext_authz': fc.constant(identity()['envoy.filters.http.ext_authz']),
      tollgate: fc.record({ units: fc.anything() }),
    }),
  ),
  method: anyText,
  path: anyText,
  route: anyText,
  requestId: anyText,
  statusCode: fc.oneof(fc.integer(), fc.double()),
  upstreamAnswered: fc.boolean(),
  cutByUpstream: fc.boolean(),
  grpcStatus: fc.option(fc.integer(), { nil: undefined }),
  responseTimeMs: fc.double(),
  requestBytes: fc.double(),
  responseBytes: fc.oneof(fc.integer(), fc.double()),
});

test('whatever a gateway tells, nothing throws and every event is one that the writer takes', () => {
  let events = 0;
  fc.assert(
    fc.property(anyRequest, (request) => {
      const outcome = usageEventFrom(request, SETTINGS);
      if (outcome.kind !== 'event') return;
      events += 1;
      const parsed = parseUsageEvent(JSON.stringify(outcome.event), Date.parse(outcome.event.time));
      expect(parsed).toEqual({ kind: 'event', event: outcome.event });
      expect(Buffer.byteLength(outcome.event.path)).toBeLessThanOrEqual(512);
    }),
    { numRuns: 1500 },
  );
  expect(events).toBeGreaterThan(100);
});

test('a query and metadata that is not identity never reach the event', () => {
  const secret = 'sk_live_canary';
  const request = anEndedRequest({
    path: `/v1/orders?api_key=${secret}#${secret}`,
    metadata: { ...identity(), stranger: { secret }, tollgate: { units: secret } },
  });
  expect(JSON.stringify(usageEventFrom(request, SETTINGS))).not.toContain(secret);
});
