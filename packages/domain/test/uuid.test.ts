import { randomUUID } from 'node:crypto';
import { isUuid } from '@tollgate/domain/uuid';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds } from './holds.js';

const UUID = '7c9e6679-7425-40de-944b-e07fc1f90ae7';

test('every UUID in its canonical form is one, whatever its version', () => {
  holds(fc.property(fc.uuid(), (text) => isUuid(text)));
  for (let i = 0; i < 100; i++) expect(isUuid(randomUUID())).toBe(true);
  expect(isUuid('00000000-0000-0000-0000-000000000000')).toBe(true);
  expect(isUuid('ffffffff-ffff-ffff-ffff-ffffffffffff')).toBe(true);
});

test.each<[string, string]>([
  ['nothing', ''],
  ['upper case, which would be a second name of the same id', UUID.toUpperCase()],
  ['braces', `{${UUID}}`],
  ['a urn', `urn:uuid:${UUID}`],
  ['no hyphens', UUID.replaceAll('-', '')],
  ['one digit less', UUID.slice(1)],
  ['one digit more', `${UUID}0`],
  ['a letter beyond f', UUID.replace('7', 'g')],
  ['hyphens elsewhere', `7c9e66797-425-40de-944b-e07fc1f90ae7`],
  ['a space after', `${UUID} `],
  ['a line feed after', `${UUID}\n`],
  ['SQL after', `${UUID}'; --`],
])('%s is none', (_, text) => {
  expect(isUuid(text)).toBe(false);
});
