import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endedRequestFrom } from '../../../src/reconciler/file/ended-request.js';
import { witnessedLine } from '../../../src/reconciler/witnessed-line.js';
import { aLine } from '../a-witness.js';

const SETTINGS = { path: 'full', identityNamespaces: ['envoy.filters.http.ext_authz'] } as const;

test.each([
  ['UPE', true],
  ['DC,UR', true],
  ['UC', true],
  ['UMSDR', true],
  ['DC', false],
  ['-', false],
])('flags %s after an answer had begun', (flags, cutByUpstream) => {
  const read = (changes: object) => endedRequestFrom(aLine(randomUUID(), 0, { flags, ...changes }), 'n');
  expect(read({})).toMatchObject({ cutByUpstream });
  expect(read({ status_code: 101 })).toMatchObject({ cutByUpstream: false });
  expect(read({ first_byte_ms: null })).toMatchObject({ cutByUpstream: false, upstreamAnswered: false });
});

test('a line that follows a half one in the same line is read, and the half one is not', () => {
  const [half, whole] = [aLine(randomUUID(), 1), aLine(randomUUID(), 2, { path: '/{"stream_id":1}' })];
  for (let cut = 1; cut < half.length; cut++)
    expect(endedRequestFrom(half.slice(0, cut) + whole, 'n')).toEqual(endedRequestFrom(whole, 'n'));
  expect(endedRequestFrom(half.slice(0, -1), 'n')).toBeUndefined();
});

test('no line makes the reconciler throw, whatever stands in it', () => {
  const line = aLine(randomUUID(), 0);
  const keys = Object.keys(JSON.parse(line) as object);
  const changed = fc.dictionary(fc.constantFrom(...keys), fc.jsonValue()).map((changes) => aLine(randomUUID(), 0, changes));
  const cut = fc.tuple(fc.nat(line.length), fc.string()).map(([at, text]) => line.slice(0, at) + text + line.slice(at));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), changed, cut), (text) => {
      witnessedLine(endedRequestFrom(text, 'n'), SETTINGS);
    }),
    { numRuns: 5000 },
  );
});
