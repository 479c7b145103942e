import { generateApiKey } from '@tollgate/domain/api-key';
import { couldBeForeignKey } from '@tollgate/domain/foreign-key';
import { expect, test } from 'vitest';

test.each<[string, boolean]>([
  ['a key of ours', true],
  ['0f8fad5b-d9cb-469f-a165-70867728950e', true],
  ['AKIA/abc+def=.~!{}', true],
  ['x'.repeat(16), true],
  ['x'.repeat(15), false],
  ['x'.repeat(256), true],
  ['x'.repeat(257), false],
  ['twokeys1234567890,twokeys1234567890', false],
  ['with a blank 1234567890', false],
  ['with-a-tab\t1234567890', false],
  ['with-a-line-feed-123\n', false],
  ['ключ-из-другой-системы', false],
  ['', false],
])('%j could be a foreign key: %s', (text, could) => {
  expect(couldBeForeignKey(text === 'a key of ours' ? generateApiKey('live') : text)).toBe(could);
});
