import { apiKeyEnvironment, generateApiKey } from '@tollgate/domain/api-key';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { presentedKey } from '../src/presented-key.js';

const key = generateApiKey('live');
const other = generateApiKey('test');
const typo = `${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`;
const jwt = 'Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln';

const inApiKey = { kind: 'key', secret: key, isInAuthorization: false };
const inAuthorization = { kind: 'key', secret: key, isInAuthorization: true };
const missing = { kind: 'missing' };
const malformed = { kind: 'malformed' };

test.each<[promise: string, apiKey: string | undefined, authorization: string | undefined, expected: object]>([
  ['no header at all is a missing key', undefined, undefined, missing],
  ['empty headers are a missing key', '', '', missing],
  ['X-API-Key carries a key', key, undefined, inApiKey],
  ['Authorization: Bearer carries a key', undefined, `Bearer ${key}`, inAuthorization],
  ['Bearer may be in any case', undefined, `bEARER ${key}`, inAuthorization],
  ['Bearer may be left out', undefined, key, inAuthorization],
  ['blanks around Bearer do not matter', undefined, `  Bearer \t ${key}`, inAuthorization],
  ['an empty X-API-Key leaves the word to Authorization', '', `Bearer ${key}`, inAuthorization],
  ['the same key in both headers is one key, to be removed from both', key, `Bearer ${key}`, inAuthorization],
  ['two different keys are malformed', key, `Bearer ${other}`, malformed],
  ['a good key beside a bad one of ours is malformed', key, `Bearer ${typo}`, malformed],
  ['a repeated X-API-Key, which Envoy joins, is malformed', `${key},${other}`, undefined, malformed],
  ['so is one repeated with the same key', `${key},${key}`, undefined, malformed],
  ['so is a repeated Authorization of ours', undefined, `Bearer ${key},Bearer ${key}`, malformed],
  ['a JWT in Authorization is the customer’s own', key, jwt, inApiKey],
  ['so is Basic', key, 'Basic c2tfOng=', inApiKey],
  ['and Digest with its commas', key, 'Digest username="a", realm="b", uri="/sk_x"', inApiKey],
  ['and what holds sk_ further inside', key, 'Bearer task_1', inApiKey],
  ['alone it is a missing key', undefined, jwt, missing],
  ['a key hidden behind a foreign Authorization is malformed', undefined, `${jwt},Bearer ${key}`, malformed],
  ['even beside a good X-API-Key', key, `${jwt}, ${key}`, malformed],
  ['and in front of one', key, `${key}, ${jwt}`, malformed],
  ['a wrong checksum is malformed', typo, undefined, malformed],
  ['so is a key in capitals, which is ours all the same', undefined, `Bearer ${key.toUpperCase()}`, malformed],
  ['and capitals in X-API-Key', key.toUpperCase(), undefined, malformed],
  ['and one cut short', key.slice(0, -1), undefined, malformed],
  ['and one with something behind it', `${key}a`, undefined, malformed],
  ['and one of 50 kB', `sk_live_${'a'.repeat(50_000)}`, undefined, malformed],
  ['and 50 kB of blanks before Bearer', undefined, `${' '.repeat(50_000)}Bearer ${typo}`, malformed],
  ['and the "!" that Envoy puts for a byte outside UTF-8', `${key.slice(0, -1)}!`, undefined, malformed],
  ['and letters outside ASCII', `${key.slice(0, -1)}é`, undefined, malformed],
  ['and a line separator behind a key', undefined, `Bearer ${key}\u2028`, malformed],
  ['an environment that we do not have is malformed', `sk_prod_${key.slice(8)}`, undefined, malformed],
  ['any other text in X-API-Key is malformed, not missing', 'hello', undefined, malformed],
])('%s', (_, apiKey, authorization, expected) => {
  expect(presentedKey(apiKey, authorization)).toEqual(expected);
});

test('whatever is sent, only a key with a right checksum is called a key, and nothing throws', () => {
  const part = fc.oneof(
    fc.constantFrom(key, other, typo, jwt, 'Bearer', 'bearer ', 'sk_', 'sk_live_', ',', ' ', '!', 'Basic '),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
  const header = fc.option(
    fc.array(part, { maxLength: 4 }).map((parts) => parts.join('')),
    { nil: undefined },
  );
  const sent = (found: { secret: string }, ...headers: (string | undefined)[]) =>
    headers.some((value) => value?.endsWith(found.secret));
  fc.assert(
    fc.property(header, header, (apiKey, authorization) => {
      const found = presentedKey(apiKey, authorization);
      if (found.kind !== 'key') return true;
      return apiKeyEnvironment(found.secret) !== undefined && sent(found, apiKey, authorization);
    }),
    { numRuns: 20_000 },
  );
});

test.each<[promise: string, apiKey: string | undefined, authorization: string | undefined, expected: object]>([
  ['a key of another system passes in X-API-Key', 'AKIA0123456789abcd', jwt, { ...inApiKey, secret: 'AKIA0123456789abcd' }],
  ['and in Authorization if it begins like ours', undefined, `Bearer ${typo}`, { ...inAuthorization, secret: typo }],
  ['a typo in one of ours cannot be told from a foreign one', typo, undefined, { ...inApiKey, secret: typo }],
  ['ours pass as ever', key, undefined, inApiKey],
  ['what is too short to be safe is malformed', 'short', undefined, malformed],
  ['two keys are malformed', `${key},${other}`, undefined, malformed],
  ['a JWT stays the customer’s own', undefined, jwt, missing],
])('where foreign keys are accepted: %s', (_, apiKey, authorization, expected) => {
  expect(presentedKey(apiKey, authorization, true)).toEqual(expected);
});

test('one wrong character anywhere is never called a key', () => {
  const alphabet = [...'0123456789abcdefghijklmnopqrstuvwxyz'];
  fc.assert(
    fc.property(fc.nat(key.length - 1), fc.constantFrom(...alphabet), (at, character) => {
      fc.pre(key[at] !== character);
      return presentedKey(`${key.slice(0, at)}${character}${key.slice(at + 1)}`, undefined).kind === 'malformed';
    }),
  );
});
