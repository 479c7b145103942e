import { expect, test } from 'vitest';
import { WireReader, wireBytes } from '../../src/kafka/wire.js';

test('strings, lengths and tags of every size are read as they were written', () => {
  const long = 'ü'.repeat(10_000);
  const reader = new WireReader(
    wireBytes((out) => {
      out.compactString('');
      out.compactString(long);
      out.compactLength(300);
      out.bytes(Buffer.alloc(300, 7));
      out.tags();
    }),
  );
  expect(reader.compactString()).toBe('');
  expect(reader.compactString()).toBe(long);
  expect(reader.compactArray(() => reader.bytes(1)[0])).toEqual(Array(300).fill(7));
  reader.skipTags();
  expect(() => reader.bytes(1)).toThrow(RangeError);
});

test('tags that a newer Kafka adds are passed over, and null is not the empty text', () => {
  const reader = new WireReader(Buffer.from([2, 0, 2, 0xaa, 0xbb, 5, 1, 0xcc, 0, 1, 0x7f, 0xff]));
  reader.skipTags();
  expect(reader.compactString()).toBeUndefined();
  expect(reader.compactString()).toBe('');
  expect(reader.int16()).toBe(0x7fff);
});

test('a message that is cut off is an error, whatever it says of its length', () => {
  expect(() => new WireReader(Buffer.from([0xff, 0xff, 0xff, 0x7f])).compactString()).toThrow(RangeError);
  expect(() => new WireReader(Buffer.from([0xff])).skipTags()).toThrow(RangeError);
  expect(() => new WireReader(Buffer.from([0])).int32()).toThrow(RangeError);
});
