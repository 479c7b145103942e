import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeHeaders } from '../../src/http2/encode-headers.js';
import { ConnectionError } from '../../src/http2/frames.js';
import { createHpackDecoder } from '../../src/http2/hpack-decoder.js';

const MAX = 65_536;

function decodeAll(...blocks: string[]): string[][] {
  const decoder = createHpackDecoder(MAX);
  return blocks.map((hex) => {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    return decoder.decode(bytes, 0, bytes.length).map(({ name, value }) => `${name}: ${value}`);
  });
}

const REQUESTS = [
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
  [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com', 'custom-key: custom-value'],
];

/** RFC 7541, appendices C.3 and C.4. */
test.each([
  [
    'plain',
    [
      '828684410f7777772e6578616d706c652e636f6d',
      '828684be58086e6f2d6361636865',
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
    ],
  ],
  [
    "in Huffman's code",
    ['828684418cf1e3c2e5f23a6ba0ab90f4ff', '828684be5886a8eb10649cbf', '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf'],
  ],
])('the requests of the RFC are read, %s', (_, blocks) => {
  expect(decodeAll(...blocks)).toEqual(REQUESTS);
});

/** RFC 7541, appendix C.6: a table of 256 bytes, out of which entries fall. */
test('what falls out of a small table is gone, and the rest is found', () => {
  const blocks = [
    '3fe101 488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
    '4883640effc1c0bf',
    '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
  ];
  const [first, second, third] = decodeAll(...blocks);
  expect(first).toEqual([
    ':status: 302',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ]);
  expect(second).toEqual([':status: 307', ...(first as string[]).slice(1)]);
  expect(third).toEqual([
    ':status: 200',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:22 GMT',
    'location: https://www.example.com',
    'content-encoding: gzip',
    'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ]);
});

test('what is encoded is decoded, whatever it is', () => {
  const ascii = fc.string({ maxLength: 300 });
  const field = fc.tuple(
    fc.oneof(ascii, fc.constantFrom(':method', ':status', 'content-type')),
    fc.oneof(ascii, fc.constant('POST')),
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 20 }), (fields) => {
      const bytes = encodeHeaders(fields);
      const found = createHpackDecoder(MAX).decode(bytes, 0, bytes.length);
      expect(found.map(({ name, value }) => [name, value])).toEqual(fields);
    }),
  );
});

test('bytes that are no HPACK are refused as such, and never read beyond their end', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 5 }), (blocks) => {
      const decoder = createHpackDecoder(MAX);
      for (const block of blocks) {
        const bytes = Buffer.concat([Buffer.from('before'), block, Buffer.from('behind')]);
        try {
          for (const { name, value } of decoder.decode(bytes, 6, 6 + block.length))
            expect(name.length + value.length).toBeLessThan(MAX);
        } catch (error) {
          expect(error).toBeInstanceOf(ConnectionError);
          return;
        }
      }
    }),
    { numRuns: 5_000 },
  );
});
