import { RateLimitResponse } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { headerBytes, headerName } from '../../src/grpc/header-bytes.js';

const EMPTY = RateLimitResponse.decode(Buffer.alloc(0));
const text = fc.string({ unit: 'grapheme', maxLength: 300 });
const value = fc.oneof(text, fc.maxSafeNat(), fc.constantFrom(0, 9, 10, 99, 100, 1e12, 999_999_999_999, Number.MAX_SAFE_INTEGER));

test('headers are encoded as the generated code does it, whatever their names and values', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, value), { maxLength: 12 }), (headers) => {
      const bytes = headerBytes(headers.map(([name, each]) => [headerName(name), each]));
      const message = { ...EMPTY, responseHeadersToAdd: headers.map(([key, each]) => ({ key, value: String(each) })) };
      expect(RateLimitResponse.decode(bytes).responseHeadersToAdd).toEqual(
        RateLimitResponse.decode(RateLimitResponse.encode(message).finish()).responseHeadersToAdd,
      );
    }),
  );
});
