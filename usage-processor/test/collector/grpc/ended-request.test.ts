import { AccessLogType, HTTPAccessLogEntry } from '@tollgate/protos/envoy/data/accesslog/v3/accesslog';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endedRequestFrom } from '../../../src/collector/grpc/ended-request.js';
import { usageEventFrom } from '../../../src/usage-event.js';
import { anEntry, type EntryChanges } from '../an-entry.js';

const SETTINGS = { path: 'full', identityNamespaces: ['envoy.filters.http.ext_authz'] } as const;

const endedOf = (changes: EntryChanges = {}) => endedRequestFrom(anEntry(changes), 'edge-1');

test('an entry is read with its time in whole microseconds and its duration in milliseconds', () => {
  expect(endedOf()).toMatchObject({
    nodeId: 'edge-1',
    startMicros: 1_795_427_988_123_456n,
    responseTimeMs: 1012.346,
    method: 'POST',
    path: '/v1/orders?secret=1',
    route: 'orders',
    statusCode: 200,
    upstreamAnswered: true,
    requestBytes: 10,
    responseBytes: 512,
  });
});

test.each([AccessLogType.DownstreamStart, AccessLogType.DownstreamPeriodic, AccessLogType.UNRECOGNIZED])(
  'an entry of type %i is not the request’s end, and would count it twice',
  (type) => {
    expect(endedOf({ type })).toBeUndefined();
  },
);

test.each([
  ['UPE', { upstreamProtocolError: true }, true],
  ['UT', { upstreamRequestTimeout: true }, true],
  ['UR', { upstreamRemoteReset: true }, true],
  ['UC', { upstreamConnectionTermination: true }, true],
  ['DC, the caller left', { downstreamConnectionTermination: true }, false],
  ['DR, the caller reset', { downstreamRemoteReset: true }, false],
  ['none', {}, false],
])('flag %s after an answer had begun', (_, flags, cutByUpstream) => {
  expect(endedOf({ flags })).toMatchObject({ cutByUpstream });
  expect(endedOf({ flags, status: 101 })).toMatchObject({ cutByUpstream: false });
  expect(endedOf({ flags, answered: false, status: 504 })).toMatchObject({ cutByUpstream: false, upstreamAnswered: false });
});

const grpc = { 'content-type': 'application/grpc+proto' };

test.each([
  ['in the trailers', { requestHeaders: grpc, responseTrailers: { 'grpc-status': '13' } }, 13],
  ['in the headers of an answer without a body', { requestHeaders: grpc, responseHeaders: { 'grpc-status': '5' } }, 5],
  ['missing', { requestHeaders: grpc }, undefined],
  ['nonsense', { requestHeaders: grpc, responseTrailers: { 'grpc-status': 'x' } }, undefined],
  ['of a call that is no gRPC', { responseTrailers: { 'grpc-status': '13' } }, undefined],
])('grpc-status %s', (_, changes, grpcStatus) => {
  expect(endedOf(changes)?.grpcStatus).toBe(grpcStatus);
});

test('a path that is not UTF-8 costs its characters and not the message', () => {
  const bytes = Buffer.from(HTTPAccessLogEntry.encode(anEntry({ path: '/v1/XX' })).finish());
  bytes.fill(0xff, bytes.indexOf('XX'), bytes.indexOf('XX') + 2);
  expect(endedRequestFrom(HTTPAccessLogEntry.decode(bytes), 'n')?.path).toBe('/v1/\uFFFD\uFFFD');
});

test('no decodable entry makes the collector throw', () => {
  const whole = Buffer.from(HTTPAccessLogEntry.encode(anEntry()).finish());
  let decoded = 0;
  const mutate = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.oneof(mutate, fc.uint8Array({ maxLength: 60 })), (change) => {
      const bytes = Array.isArray(change) ? Buffer.from(whole) : Buffer.from(change);
      if (Array.isArray(change)) for (const [at, byte] of change) bytes[at] = byte;
      let entry: HTTPAccessLogEntry;
      try {
        entry = HTTPAccessLogEntry.decode(bytes);
      } catch {
        return;
      }
      decoded += 1;
      const request = endedRequestFrom(entry, 'edge-1');
      if (request !== undefined) usageEventFrom(request, SETTINGS);
    }),
    { numRuns: 5000 },
  );
  expect(decoded).toBeGreaterThan(500);
});
