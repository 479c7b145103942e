import { RateLimitRequest } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { envoyPath } from '@tollgate/testing/envoy';
import { encodeWith, envoyDescriptors } from '@tollgate/testing/envoy-protos';
import type protobuf from 'protobufjs';
import { beforeAll, expect, test } from 'vitest';
import { type LimitRequest, requestFrom } from '../../src/grpc/descriptors.js';
import { type Descriptor, descriptorOf, UNIT } from '../envoy-client.js';

const ORGANIZATION = '11111111-1111-4111-8111-111111111111';
const KEY = '22222222-2222-4222-8222-222222222222';
let type: protobuf.Type;

beforeAll(async () => {
  type = envoyDescriptors(await envoyPath()).lookupType('envoy.service.ratelimit.v3.RateLimitRequest');
});

function read(request: { domain?: string; descriptors?: Descriptor[]; hits_addend?: number }): LimitRequest {
  return requestFrom(RateLimitRequest.decode(encodeWith(type, { domain: 'tollgate', descriptors: [], ...request })));
}
const readOne = (parts: Partial<Descriptor>, hits_addend?: number) =>
  read({ descriptors: [descriptorOf(ORGANIZATION, KEY, parts)], ...(hits_addend === undefined ? {} : { hits_addend }) });

test('a descriptor names whose limits are asked for', () => {
  const expected = { kind: 'take', organizationId: ORGANIZATION, keyId: KEY, cost: 1, tightening: undefined };
  expect(readOne({})).toEqual(expected);
  const { entries } = descriptorOf(ORGANIZATION, KEY);
  expect(readOne({ entries: entries.toReversed() })).toEqual(expected);
  expect(readOne({ entries: entries.slice(0, 1) })).toEqual({ ...expected, keyId: '' });
});

test.each([
  ['unset costs 1', undefined, undefined, 1],
  ['0 of the request is unset', undefined, 0, 1],
  ['the request’s cost counts', undefined, 3, 3],
  ['the descriptor’s own goes before it', 5, 3, 5],
  ['an explicit 0 of the descriptor looks and takes nothing', 0, 3, 0],
  ['a billion is the most', 1_000_000_000, undefined, 1_000_000_000],
])('hits_addend: %s', (_, own, ofRequest, cost) => {
  expect(readOne(own === undefined ? {} : { hits_addend: { value: own } }, ofRequest)).toMatchObject({ kind: 'take', cost });
});

test.each([
  ['MINUTE', { window: 'minute', limit: 7 }],
  ['DAY', { window: 'day', limit: 7 }],
  ['MONTH', { window: 'month', limit: 7 }],
  ['HOUR', undefined],
  ['SECOND', undefined],
] as const)('a limit of 7 per %s tightens %j', (unit, tightening) => {
  expect(readOne({ limit: { requests_per_unit: 7, unit: UNIT[unit] } })).toMatchObject({ kind: 'take', tightening });
});

test.each<[string, Parameters<typeof read>[0]]>([
  ['an empty domain', { domain: '', descriptors: [descriptorOf(ORGANIZATION)] }],
  ['an empty list of descriptors', { descriptors: [] }],
  ['an empty list in another domain', { domain: 'other', descriptors: [] }],
  ['several descriptors', { descriptors: [descriptorOf(ORGANIZATION), descriptorOf(ORGANIZATION)] }],
  ['no organization', { descriptors: [{ entries: [{ key: 'key_id', value: KEY }] }] }],
  ['no entries at all', { descriptors: [{ entries: [] }] }],
  ['a cost above a billion', { descriptors: [descriptorOf(ORGANIZATION, KEY, { hits_addend: { value: 1_000_000_001 } })] }],
])('%s is refused with its reason', (_, request) => {
  expect(read(request)).toEqual({ kind: 'invalid', reason: expect.stringMatching(/^(The|hits).+\.$/) });
});

test.each(['', 'acme', `A${ORGANIZATION.slice(1)}`, `{${ORGANIZATION}}`])(
  'an organization that cannot exist (%j) is not limited',
  (organizationId) => {
    const request = { descriptors: [descriptorOf(organizationId)] };
    expect(read(request)).toEqual({ kind: 'unlimited', reason: 'unknown-organization', descriptors: 1 });
  },
);

test('another domain is not limited, whatever and however many its descriptors are', () => {
  const descriptors = [descriptorOf(ORGANIZATION), { entries: [{ key: 'path', value: '/' }] }];
  expect(read({ domain: 'other', descriptors })).toEqual({ kind: 'unlimited', reason: 'other-domain', descriptors: 2 });
});
