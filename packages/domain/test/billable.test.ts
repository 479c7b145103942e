import { type Answer, isBillable, type Origin, originOf } from '@tollgate/domain/billable';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds } from './holds.js';

const ANSWERED: Answer = {
  environment: 'live',
  upstreamAnswered: true,
  statusCode: 200,
  grpcStatus: undefined,
  cutByUpstream: false,
};
const GATEWAY: Partial<Answer> = { upstreamAnswered: false };
const grpc = (grpcStatus: number): Partial<Answer> => ({ statusCode: 200, grpcStatus });

/** The table of docs/data-model.md, "What is billable". */
test.each<[string, Partial<Answer>, Origin, boolean]>([
  ['upstream 200', { statusCode: 200 }, 'upstream', true],
  ['upstream 201', { statusCode: 201 }, 'upstream', true],
  ['upstream 204', { statusCode: 204 }, 'upstream', true],
  ['upstream 299', { statusCode: 299 }, 'upstream', true],
  ['upstream 400', { statusCode: 400 }, 'upstream', true],
  ['upstream 401, its own', { statusCode: 401 }, 'upstream', true],
  ['upstream 404', { statusCode: 404 }, 'upstream', true],
  ['upstream 429, its own', { statusCode: 429 }, 'upstream', true],
  ['upstream 499', { statusCode: 499 }, 'upstream', true],
  ['upstream 100', { statusCode: 100 }, 'upstream', false],
  ['upstream 103', { statusCode: 103 }, 'upstream', false],
  ['upstream 199', { statusCode: 199 }, 'upstream', false],
  ['upstream 300', { statusCode: 300 }, 'upstream', false],
  ['upstream 301', { statusCode: 301 }, 'upstream', false],
  ['upstream 304', { statusCode: 304 }, 'upstream', false],
  ['upstream 399', { statusCode: 399 }, 'upstream', false],
  ['upstream 500', { statusCode: 500 }, 'upstream', false],
  ['upstream 503, its own', { statusCode: 503 }, 'upstream', false],
  ['upstream 599', { statusCode: 599 }, 'upstream', false],
  ['upstream, no status', { statusCode: 0 }, 'upstream', false],
  ['gRPC 0 OK', grpc(0), 'upstream', true],
  ['gRPC 1 CANCELLED', grpc(1), 'upstream', true],
  ['gRPC 2 UNKNOWN', grpc(2), 'upstream', false],
  ['gRPC 3 INVALID_ARGUMENT', grpc(3), 'upstream', true],
  ['gRPC 4 DEADLINE_EXCEEDED', grpc(4), 'upstream', false],
  ['gRPC 5 NOT_FOUND', grpc(5), 'upstream', true],
  ['gRPC 6 ALREADY_EXISTS', grpc(6), 'upstream', true],
  ['gRPC 7 PERMISSION_DENIED', grpc(7), 'upstream', true],
  ['gRPC 8 RESOURCE_EXHAUSTED', grpc(8), 'upstream', true],
  ['gRPC 9 FAILED_PRECONDITION', grpc(9), 'upstream', true],
  ['gRPC 10 ABORTED', grpc(10), 'upstream', true],
  ['gRPC 11 OUT_OF_RANGE', grpc(11), 'upstream', true],
  ['gRPC 12 UNIMPLEMENTED', grpc(12), 'upstream', false],
  ['gRPC 13 INTERNAL', grpc(13), 'upstream', false],
  ['gRPC 14 UNAVAILABLE', grpc(14), 'upstream', false],
  ['gRPC 15 DATA_LOSS', grpc(15), 'upstream', false],
  ['gRPC 16 UNAUTHENTICATED', grpc(16), 'upstream', true],
  ['200 whose body the upstream cut', { statusCode: 200, cutByUpstream: true }, 'upstream', false],
  ['200 whose body ran into the timeout', { statusCode: 200, cutByUpstream: true }, 'upstream', false],
  ['gRPC OK whose stream the upstream cut', { ...grpc(0), cutByUpstream: true }, 'upstream', false],
  ['caller left after the first byte of a 200', { statusCode: 200 }, 'upstream', true],
  ['caller left after the first byte of a 404', { statusCode: 404 }, 'upstream', true],
  ['caller left before the first byte', { ...GATEWAY, statusCode: 0 }, 'gateway', false],
  ['websocket', { statusCode: 101 }, 'upstream', true],
  ['gateway 200 (health, preflight)', { ...GATEWAY, statusCode: 200 }, 'gateway', false],
  ['gateway 429', { ...GATEWAY, statusCode: 429 }, 'gateway', false],
  ['gateway 502', { ...GATEWAY, statusCode: 502 }, 'gateway', false],
  ['gateway 503', { ...GATEWAY, statusCode: 503 }, 'gateway', false],
  ['gateway 504', { ...GATEWAY, statusCode: 504 }, 'gateway', false],
  ['gateway refuses a gRPC call', { ...GATEWAY, ...grpc(8) }, 'gateway', false],
  ['test key, upstream 200', { environment: 'test', statusCode: 200 }, 'upstream', false],
  ['test key, gRPC OK', { environment: 'test', ...grpc(0) }, 'upstream', false],
  ['test key, websocket', { environment: 'test', statusCode: 101 }, 'upstream', false],
  ['test key, gateway 429', { environment: 'test', ...GATEWAY, statusCode: 429 }, 'gateway', false],
])('%s', (_, changes, origin, billable) => {
  const answer = { ...ANSWERED, ...changes };
  expect(originOf(answer)).toBe(origin);
  expect(isBillable(answer)).toBe(billable);
});

const answers: fc.Arbitrary<Answer> = fc.record({
  environment: fc.constantFrom('live', 'test'),
  upstreamAnswered: fc.boolean(),
  statusCode: fc.integer({ min: 0, max: 999 }),
  grpcStatus: fc.option(fc.integer({ min: 0, max: 16 }), { nil: undefined }),
  cutByUpstream: fc.boolean(),
});

test('nothing that the gateway answered, nothing cut and nothing of a test key is ever billed', () => {
  holds(
    fc.property(answers, (answer) => {
      if (answer.environment === 'live' && answer.upstreamAnswered && !answer.cutByUpstream) return;
      expect(isBillable(answer)).toBe(false);
    }),
  );
});
