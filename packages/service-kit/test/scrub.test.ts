import { scrub } from '@tollgate/service-kit/scrub';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { CANARY_KEY } from './canaries.js';

test.each([
  ['a key', `key ${CANARY_KEY} is bad`, 'key sk_live_*** is bad'],
  ['a key in capitals', `KEY=${CANARY_KEY.toUpperCase()};`, 'KEY=sk_LIVE_***;'],
  ['a key with a typing error', `${CANARY_KEY.slice(0, 20)}-~${CANARY_KEY.slice(20)}`, 'sk_live_***'],
  ['two keys', `${CANARY_KEY},${CANARY_KEY}`, 'sk_live_***,sk_live_***'],
  ['user and password', 'connect postgres://u:p@h/db failed', 'connect postgres://***@h/db failed'],
  ['a password alone', 'redis://:p@h:6379', 'redis://***@h:6379'],
  ['a token as user', 'https://ghp_x@h/path', 'https://***@h/path'],
  ['a password with @ and /', 'postgres://u:p@s/s@h/db', 'postgres://***@h/db'],
  ['a URL in quotes', `"url":"postgres://u:p\\"x@h","next":1`, `"url":"postgres://***@h","next":1`],
  ['an escaped line end after a URL', 'postgres://h/db\\nfoo@bar', 'postgres://h/db\\nfoo@bar'],
  ['a bearer token', 'Authorization: Bearer eyJhbGciOi.x-y_z=', 'Authorization: Bearer ***'],
  ['an assigned password', 'host=h password=p user=u', 'host=h password=*** user=u'],
  ['a header', '{"authorization":"a\\"b","x":1}', '{"authorization":"***","x":1}'],
  ['a header with several values', '{"X-API-Key":["a","b"],"x":[1]}', '{"X-API-Key":"***","x":[1]}'],
])('%s is cut out', (_name, text, scrubbed) => {
  expect(scrub(text)).toBe(scrubbed);
});

test.each([
  'task_id disk_usage sk_other_thing',
  'http://127.0.0.1:8080/health?x=1',
  'mail to someone@example.com',
  '{"password_set":true}',
])('%s is left as it is', (text) => {
  expect(scrub(text)).toBe(text);
});

const aSecretText = fc
  .array(fc.oneof(fc.string(), fc.constantFrom('://', '@', 'u:', '"', '\\', '\n', CANARY_KEY, 'Bearer x', 'password=', ' ')), {
    maxLength: 12,
  })
  .map((parts) => parts.join(''));

test('a JSON line stays JSON whatever it holds', async () => {
  const aValue = fc.oneof(aSecretText, fc.array(aSecretText), fc.dictionary(aSecretText, aSecretText));
  const aLine = fc.dictionary(fc.oneof(aSecretText, fc.constantFrom('authorization', 'password', 'x-api-key')), aValue);
  await fc.assert(
    fc.property(aLine, (line) => {
      const scrubbed = scrub(JSON.stringify(line));
      JSON.parse(scrubbed);
      expect(scrubbed).not.toContain('a1b2c3d4');
    }),
    { numRuns: 3000 },
  );
});

test.each(['://', 'a://@', 'sk_live_', 'bearer ', 'password=', '"password":"\\', '"cookie":["",'])(
  'a hostile text of many %s is scrubbed in linear work',
  (part) => {
    // Quadratic work on 2 MB would run into the timeout of the test.
    scrub(part.repeat(Math.ceil(2_000_000 / part.length)));
  },
);
