import {
  eventId,
  isoMicros,
  MAX_AGE_MS,
  MAX_AHEAD_MS,
  type ParsedUsageEvent,
  parseUsageEvent,
  type UsageEvent,
} from '@tollgate/domain/usage-event';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds } from './holds.js';

const NOW = Date.UTC(2026, 10, 23, 10);
const STREAM = '9f7d6f2e-6c1b-4a53-9d4c-2f7a5f6f1a01';

function anEvent(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    v: 1,
    event_id: '0123456789abcdef0123456789abcdef',
    time: '2026-11-23T09:59:48.123456Z',
    request_id: 'r-1',
    organization_id: '0f8fad5b-d9cb-469f-a165-70867728950e',
    api_key_id: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
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
    ...changes,
  };
}

const parse = (changes: Record<string, unknown>) => parseUsageEvent(JSON.stringify(anEvent(changes)), NOW);
const rejected = (reason: string): ParsedUsageEvent => ({ kind: 'rejected', reason });

/** Text that PostgreSQL can hold. */
const text = (maxLength: number) =>
  fc.string({ unit: 'binary', maxLength: maxLength / 2 }).filter((value) => !value.includes('\0') && value.length <= maxLength);

const events: fc.Arbitrary<UsageEvent> = fc.record({
  v: fc.constant(1 as const),
  event_id: fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 }),
  time: fc.bigInt({ min: BigInt(NOW - MAX_AGE_MS) * 1_000n, max: BigInt(NOW + MAX_AHEAD_MS) * 1_000n }).map(isoMicros),
  request_id: text(256),
  organization_id: fc.uuid(),
  api_key_id: fc.uuid(),
  environment: fc.constantFrom('live', 'test'),
  method: text(64),
  path: text(512),
  route: text(256),
  status_code: fc.integer({ min: 0, max: 999 }),
  response_time_ms: fc.double({ min: 0, max: 1e12, noNaN: true }).map((value) => value + 0),
  request_bytes: fc.maxSafeNat(),
  response_bytes: fc.maxSafeNat(),
  billable: fc.boolean(),
  units: fc.integer({ min: 0, max: 1_000_000 }),
  origin: fc.constantFrom('upstream', 'gateway'),
});

const laterFields = fc.record(
  { node_id: text(256), shadow_limited: fc.constantFrom('minute' as const, 'day' as const, 'month' as const) },
  { requiredKeys: [] },
);
const anyEvents: fc.Arbitrary<UsageEvent> = fc.tuple(events, laterFields).map(([event, later]) => ({ ...event, ...later }));

test('an event that was written is read back the same', () => {
  holds(
    fc.property(anyEvents, (event) => void expect(parseUsageEvent(JSON.stringify(event), NOW)).toEqual({ kind: 'event', event })),
    { numRuns: 1_000 },
  );
});

test.each<[string, unknown[]]>([
  ['event_id', ['', '0123456789abcdef0123456789abcde', '0123456789ABCDEF0123456789ABCDEF', `${'0'.repeat(32)}\n`, 7]],
  [
    'time',
    [
      'yesterday',
      '2026-11-23',
      '2026-11-23T09:59:48Z',
      '2026-11-23T09:59:48.123Z',
      '2026-11-23T09:59:48.123456',
      '2026-11-23T09:59:48.123456+01:00',
      '2026-11-23 09:59:48.123456Z',
      '2026-02-29T00:00:00.000000Z',
      '2026-11-31T00:00:00.000000Z',
      '2026-13-01T00:00:00.000000Z',
      '2026-11-00T00:00:00.000000Z',
      '2026-11-22T24:00:00.000000Z',
      '2026-11-22T23:59:60.000000Z',
      '+12026-11-23T09:59:48.123456Z',
      1_700_000_000_000,
    ],
  ],
  ['request_id', ['a\0b', '\ud800', 'x'.repeat(257), 7]],
  ['organization_id', ['', 'acme', '0F8FAD5B-D9CB-469F-A165-70867728950E', 7]],
  ['api_key_id', ['', `sk_live_${'a'.repeat(32)}`, 7]],
  ['environment', ['', 'prod', 'LIVE', 'toString', 7]],
  ['method', ['GET\0', '\udc00', 'x'.repeat(65), 7]],
  ['path', ['/\0', '/\ud83d', `/${'x'.repeat(512)}`, 7]],
  ['route', ['a\0', '\ud800', 'x'.repeat(257), 7]],
  ['status_code', ['200', -1, 1_000, 200.5]],
  ['response_time_ms', ['12', -0.1, 1e13]],
  ['request_bytes', ['0', -1, 0.5, 2 ** 53]],
  ['response_bytes', ['0', -1, 0.5, 2 ** 53, 1e300]],
  ['billable', ['true', 1, 0]],
  ['units', ['1', -1, 0.5, 1_000_001]],
  ['origin', ['', 'client', 'constructor', 7]],
])('a bad %s is rejected by its name', (field, values) => {
  expect(parse({}).kind).toBe('event');
  for (const value of [undefined, null, [], {}, ...values])
    expect(parse({ [field]: value }), JSON.stringify(value)).toEqual(rejected(`invalid ${field}`));
});

test.each<[string, unknown[]]>([
  ['node_id', [null, 7, {}, 'a\0b', '\ud800', 'x'.repeat(257)]],
  ['shadow_limited', [null, 7, {}, '', 'hour', 'toString']],
])('a bad %s is rejected, and an event without one is not', (field, values) => {
  for (const value of values) expect(parse({ [field]: value }), JSON.stringify(value)).toEqual(rejected(`invalid ${field}`));
  expect(parse({ [field]: undefined }).kind).toBe('event');
});

test.each([0, 2, '1', null, undefined, true, [1]])('version %j is unknown', (v) => {
  expect(parse({ v })).toEqual(rejected('unknown version (v)'));
});

test.each(['', ' ', 'null,', '{', "{'v':1}", 'NaN', 'undefined', '\0', '\ufeff{}', `${'['.repeat(200_000)}`])(
  'text %# that is no JSON is rejected',
  (value) => {
    expect(parseUsageEvent(value, NOW)).toEqual(rejected('not JSON'));
  },
);

test.each(['null', '[]', '1', '"{}"', 'true', '[{}]'])('%s is no event', (value) => {
  expect(parseUsageEvent(value, NOW)).toEqual(rejected('not a JSON object'));
});

test('numbers that JSON can write and a column cannot hold are rejected', () => {
  const poison = (field: string, value: string) => JSON.stringify(anEvent({ [field]: '@' })).replace('"@"', value);
  expect(parseUsageEvent(poison('units', '1e400'), NOW)).toEqual(rejected('invalid units'));
  expect(parseUsageEvent(poison('response_time_ms', '1e400'), NOW)).toEqual(rejected('invalid response_time_ms'));
  expect(parseUsageEvent(poison('units', '1.0'), NOW).kind).toBe('event');
});

test('a prototype in the JSON lends no field to an event', () => {
  const { units: _, ...rest } = anEvent();
  const hostile = JSON.stringify(rest).replace('{', '{"__proto__":{"units":1},');
  expect(parseUsageEvent(hostile, NOW)).toEqual(rejected('invalid units'));
});

test.each<[string, number, ParsedUsageEvent['kind']]>([
  ['89 days old to the millisecond', NOW - MAX_AGE_MS, 'event'],
  ['a millisecond older than 89 days', NOW - MAX_AGE_MS - 1, 'rejected'],
  ['5 minutes ahead to the millisecond', NOW + MAX_AHEAD_MS, 'event'],
  ['a millisecond more than 5 minutes ahead', NOW + MAX_AHEAD_MS + 1, 'rejected'],
  ['of 1970', 0, 'rejected'],
  ['of the year 9999', Date.UTC(9999, 11, 31), 'rejected'],
])('an event %s', (_, timeMs, kind) => {
  const parsed = parse({ time: isoMicros(BigInt(timeMs) * 1_000n) });
  expect(parsed.kind).toBe(kind);
  if (kind === 'rejected') expect(parsed).toEqual(rejected(timeMs < NOW ? 'too old (time)' : 'too far ahead (time)'));
});

test('the window of accepted times is 89 days back and 5 minutes ahead', () => {
  expect([MAX_AGE_MS, MAX_AHEAD_MS]).toEqual([89 * 24 * 3_600_000, 300_000]);
});

const REASONS = /^(not JSON|not a JSON object|unknown version \(v\)|invalid [a-z_]+|too old \(time\)|too far ahead \(time\))$/;

test('no value of the event log makes the reader throw, and no reason repeats what a stranger wrote', () => {
  const field = fc.constantFrom(...Object.keys(anEvent()));
  const mutated = fc.tuple(field, fc.jsonValue()).map(([name, value]) => JSON.stringify(anEvent({ [name]: value })));
  const cut = fc.nat({ max: 400 }).map((length) => JSON.stringify(anEvent()).slice(0, length));
  const anything = fc.oneof(fc.json(), mutated, cut, fc.string({ unit: 'binary' }));
  holds(
    fc.property(anything, (value) => {
      const parsed = parseUsageEvent(value, NOW);
      if (parsed.kind === 'rejected') expect(parsed.reason).toMatch(REASONS);
    }),
    { numRuns: 10_000 },
  );
});

test('microseconds keep their six digits', () => {
  expect(isoMicros(1_795_427_988_123_456n)).toBe('2026-11-23T09:59:48.123456Z');
  expect(isoMicros(1_795_427_988_000_000n)).toBe('2026-11-23T09:59:48.000000Z');
  expect(isoMicros(1_795_427_988_000_007n)).toBe('2026-11-23T09:59:48.000007Z');
  expect(isoMicros(0n)).toBe('1970-01-01T00:00:00.000000Z');
});

test('times sort as text as they do as numbers, to the microsecond', () => {
  const micros = fc.bigInt({ min: 0n, max: 253_402_300_799_999_999n });
  holds(
    fc.property(micros, micros, (one, other) => {
      expect(isoMicros(one) < isoMicros(other)).toBe(one < other);
      expect(BigInt(Date.parse(isoMicros(one)))).toBe(one / 1_000n);
      expect(isoMicros(one).slice(-4, -1)).toBe(String(one % 1_000n).padStart(3, '0'));
    }),
  );
});

test('the id of an event never changes: a stored one would be counted again', () => {
  expect(eventId('envoy-1', STREAM, 1_795_427_988_123_456n)).toBe('135b800f388fe77cb8919fb2cf660545');
});

test('an event seen twice has one id, and two events never share one', () => {
  const source = fc.tuple(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), fc.bigInt({ min: 0n, max: 2n ** 63n }));
  holds(
    fc.property(source, source, (one, other) => {
      expect(eventId(...one)).toMatch(/^[0-9a-f]{32}$/);
      expect(eventId(...one) === eventId(...other)).toBe(one.every((part, i) => part === other[i]));
      expect(eventId(...one)).toBe(eventId(...one));
    }),
  );
});

test('neighbouring sources have ids of their own', () => {
  const ids = [
    eventId('envoy-1', STREAM, 1n),
    eventId('envoy-2', STREAM, 1n),
    eventId('envoy-1', `${STREAM}1`, 1n),
    eventId('envoy-1', STREAM, 2n),
    eventId(STREAM, 'envoy-1', 1n),
    eventId('a', 'bc', 1n),
    eventId('ab', 'c', 1n),
    eventId('a","b', 'c', 1n),
    eventId('a', 'b","c', 1n),
    eventId('', '', 11n),
    eventId('', '1', 1n),
  ];
  expect(new Set(ids).size).toBe(ids.length);
});
