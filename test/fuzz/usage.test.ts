import { parseUsageEvent, type UsageEvent } from '@tollgate/domain/usage-event';
import { HTTPAccessLogEntry } from '@tollgate/protos/envoy/data/accesslog/v3/accesslog';
import { StreamAccessLogsMessage } from '@tollgate/protos/envoy/service/accesslog/v3/als';
import { GRPC_STATUS, GrpcError } from '@tollgate/service-kit/grpc';
import { accessLogMethod } from '@tollgate/usage-processor/collector/grpc/access-log';
import { judgeBatch } from '@tollgate/usage-processor/writer/store-batch';
import { expect } from 'vitest';
import { fuzz } from './fuzz.js';
import { mutated, mutatedText } from './mutate.js';

const NOW_MS = 1_795_427_988_000;
const IDENTITY = {
  organization_id: '018f3a2e-0000-7000-8000-000000000001',
  key_id: '018f3a2e-0000-7000-8000-000000000002',
  plan: 'basic',
  environment: 'live',
};
const WORDS = [
  ...Object.keys(IDENTITY),
  ...Object.values(IDENTITY),
  ...['envoy.filters.http.ext_authz', 'envoy.filters.http.ratelimit', 'tollgate', 'units', '1000000', 'application/grpc'],
  ...['grpc-status', 'node-1', '\0', '\ud800', '"', '\\u0000', '__proto__', '1e400', '-1', '9'.repeat(30), '{"v":1', 'null'],
];

function message(entry: object, nodeId: string | undefined): Uint8Array {
  return StreamAccessLogsMessage.encode({
    identifier: nodeId === undefined ? undefined : { node: { id: nodeId }, logName: 'usage' },
    logEntries: { $case: 'httpLogs', value: { logEntry: [entry] } },
  } as unknown as StreamAccessLogsMessage).finish();
}

/** What protobuf makes of no bytes, filled with what an entry needs to be usage. */
function entry(changes: { metadata?: object; status?: number; contentType?: string } = {}): object {
  const { commonProperties } = HTTPAccessLogEntry.decode(Buffer.from([0x0a, 0x00]));
  const { metadata = { 'envoy.filters.http.ext_authz': IDENTITY, tollgate: { units: '7' } }, status = 200 } = changes;
  return {
    commonProperties: {
      ...commonProperties,
      streamId: '3d0a3b2e-5d3f-4f5e-9a51-2f1f4d7e8a10',
      startTime: { seconds: NOW_MS / 1000, nanos: 123_456_000 },
      timeToFirstUpstreamRxByte: { seconds: 0, nanos: 9_000_000 },
      timeToLastDownstreamTxByte: { seconds: 1, nanos: 12_345_678 },
      metadata: { filterMetadata: metadata },
      routeName: 'orders',
      accessLogType: 0,
    },
    request: {
      requestMethod: 3,
      path: '/v1/orders/\u00e9\u{1f600}?secret=1',
      requestId: '3d0a3b2e',
      requestBodyBytes: 10,
      requestHeaders: changes.contentType === undefined ? {} : { 'content-type': changes.contentType },
    },
    response: {
      responseCode: status,
      responseBodyBytes: 512,
      responseHeaders: {},
      responseTrailers: { 'grpc-status': '0' },
      responseCodeDetails: '',
    },
  };
}

const MESSAGES = [
  message(entry(), 'node-1'),
  message(entry({ contentType: 'application/grpc' }), 'node-1'),
  message(entry({ metadata: { 'envoy.filters.http.ext_authz': { ...IDENTITY, environment: 'test' } }, status: 0 }), 'node-1'),
  message(entry({ metadata: {} }), 'node-1'),
  message(entry(), undefined),
];

fuzz('an entry of the access log', async (random) => {
  const events: UsageEvent[] = [];
  const method = accessLogMethod({
    settings: { path: random.pick(['full', 'route', 'off']), identityNamespaces: ['envoy.filters.http.ext_authz'] },
    append: async (more) => void events.push(...more),
    count: () => {},
  });
  if (method.kind !== 'client-stream') throw new Error('not a stream');
  const pieces = Array.from({ length: 1 + random.below(2) }, () =>
    mutated(random.pick(MESSAGES), { others: MESSAGES, words: WORDS }, random),
  );
  try {
    await method.answer(
      (async function* () {
        yield* pieces;
      })(),
      { header: () => undefined },
    );
  } catch (error) {
    if (!(error instanceof GrpcError) || error.code !== GRPC_STATUS.INVALID_ARGUMENT) throw error;
  }
  // What the collector makes, the writer takes, whatever stood in it.
  for (const event of events) {
    const parsed = parseUsageEvent(JSON.stringify(event), Date.parse(event.time));
    expect(parsed).toEqual({ kind: 'event', event });
  }
});

const EVENT: UsageEvent = {
  v: 1,
  event_id: 'a'.repeat(32),
  time: '2026-11-23T09:59:48.123456Z',
  request_id: '3d0a3b2e',
  organization_id: IDENTITY.organization_id,
  api_key_id: IDENTITY.key_id,
  environment: 'live',
  method: 'GET',
  path: '/v1/orders',
  route: 'orders',
  status_code: 200,
  response_time_ms: 1.5,
  request_bytes: 0,
  response_bytes: 512,
  billable: true,
  units: 1,
  origin: 'upstream',
};
const EVENTS = [EVENT, { ...EVENT, path: '', units: 1_000_000, billable: false }].map((event) => JSON.stringify(event));
/** Names a field or says what is wrong, in words of ours. */
const REASON =
  /^(not JSON|not a JSON object|not UTF-8|too long|unknown version \(v\)|invalid [a-z_]+|too (old|far ahead) \(time\))$/;

fuzz('a value of the event log', (random) => {
  const place = { logId: 'log', topic: 'usage', partition: 0, startOffset: 0n, nextOffset: 2n };
  const changed = random.chance(0.5)
    ? mutated(Buffer.from(random.pick(EVENTS)), { others: EVENTS.map((event) => Buffer.from(event)), words: WORDS }, random)
    : Buffer.from(
        withOtherValue(
          random.pick(EVENTS),
          mutatedText(random.pick(WORDS), { others: EVENTS, words: WORDS }, random),
          random.below(17),
        ),
      );
  const good = Buffer.from(EVENTS[0] ?? '');
  const records = [
    { offset: 0n, value: changed },
    { offset: 1n, value: good },
  ];
  const { events, deadLetters } = judgeBatch({ ...place, records }, NOW_MS);
  // Nothing is dropped, and one bad value takes no other with it.
  expect(events.length + deadLetters.length).toBe(2);
  expect(events.at(-1)).toEqual(EVENT);
  for (const { reason } of deadLetters) expect(reason).toMatch(REASON);
  for (const event of events) expect(parseUsageEvent(JSON.stringify(event), NOW_MS).kind).toBe('event');
});

/** The event with another value in one field: of the same type, of another, or whatever the text is as JSON. */
function withOtherValue(event: string, text: string, field: number): string {
  const record = JSON.parse(event) as Record<string, unknown>;
  const name = Object.keys(record)[field] ?? 'v';
  record[name] = [text, Number(text), null, [text], { [text]: text }, text.length, -text.length, text.length / 3][
    text.length % 8
  ];
  return JSON.stringify(record);
}
