import { RateLimitResponse } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { headerBytes } from '../../src/grpc/header-bytes.js';

const EMPTY = RateLimitResponse.decode(Buffer.alloc(0));
const text = fc.string({ unit: 'grapheme', maxLength: 300 });

test('headers are encoded as the generated code does it, whatever their names and values', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ key: text, value: text }), { maxLength: 12 }), (headers) => {
      const message = { ...EMPTY, responseHeadersToAdd: headers };
      expect(RateLimitResponse.decode(headerBytes(headers)).responseHeadersToAdd).toEqual(
        RateLimitResponse.decode(RateLimitResponse.encode(message).finish()).responseHeadersToAdd,
      );
    }),
  );
});
