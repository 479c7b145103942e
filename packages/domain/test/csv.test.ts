import { type CsvRecord, createCsvReader, csvLine } from '@tollgate/domain/csv';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds } from './holds.js';

function read(...pieces: string[]): CsvRecord[] {
  const reader = createCsvReader();
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
}

test.each<[string, string[][]]>([
  [
    'a,b\r\nc,d\r\n',
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  ],
  [
    'a,b\nc,d',
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  ],
  ['a\rb\r', [['a'], ['b']]],
  ['"a,""b""\r\nc",d', [['a,"b"\r\nc', 'd']]],
  [
    'a,\n,b\n',
    [
      ['a', ''],
      ['', 'b'],
    ],
  ],
  ['""\n', [['']]],
  ['\n\r\n\na\n\n', [['a']]],
  ['\ufeffa,b', [['a', 'b']]],
  ['', []],
])('%j is %j', (text, records) => {
  expect(read(text).map(({ fields }) => fields)).toEqual(records);
});

test('a record knows the line on which it begins', () => {
  expect(read('a\r\n\r\n"b\r\nb"\r\nc\n"d\nd"\ne').map(({ line }) => line)).toEqual([1, 3, 5, 6, 8]);
});

test.each(['a"b', '"a"b', '"a', '"a"" '])('wrong quotes are told: %j', (text) => {
  expect(read(text)).toEqual([expect.objectContaining({ line: 1, problem: expect.any(String) as string })]);
});

test('a record with a problem does not harm the next', () => {
  expect(read('a"b\nc,d\n')[1]).toEqual({ line: 2, fields: ['c', 'd'] });
});

test('a quote that was never closed does not take all memory', () => {
  const reader = createCsvReader(100);
  reader.push('"');
  for (let i = 0; i < 1_000; i++) reader.push('x'.repeat(50));
  const [record] = reader.end();
  expect(record?.problem).toMatch(/left open/);
  expect(record?.fields.join('').length).toBeLessThanOrEqual(100);
});

const cell = fc.string({
  unit: fc.oneof(fc.constantFrom('"', ',', '\r', '\n', 'a', ' '), fc.string({ maxLength: 1 })),
  maxLength: 8,
});
const table = fc.array(fc.array(cell, { minLength: 1, maxLength: 5 }), { maxLength: 6 });

test('what was written is read again, however it arrives in pieces, over 10,000 tables', () => {
  holds(
    fc.property(table, fc.array(fc.nat(40), { maxLength: 6 }), (rows, cuts) => {
      const text = rows.map(csvLine).join('');
      const places = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
      const pieces = places.slice(1).map((end, i) => text.slice(places[i], end));
      expect(read(...pieces).map(({ fields, problem }) => ({ fields, problem }))).toEqual(rows.map((fields) => ({ fields })));
    }),
    { numRuns: 10_000 },
  );
});
