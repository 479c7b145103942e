import { expect, test } from 'vitest';
import { unavailableResponse } from '../../src/grpc/check-response.js';
import { shedResponse } from '../../src/grpc/shed-response.js';

const NOW = new Date('2026-11-23T09:59:48.123Z');

test.each([
  '3d0a3b2e-5d3f-4f5e-9a51-2f1f4d7e8a10',
  null,
  '',
  'short',
  // As long as a UUID, but to be escaped in JSON.
  `"${'a'.repeat(35)}`,
  `é${'a'.repeat(35)}`,
  'x'.repeat(200),
])('what is shed is answered as what is unavailable, with the id %j', (requestId) => {
  for (const seconds of [1, 3, 12])
    expect(Buffer.from(shedResponse(requestId, NOW, seconds))).toEqual(Buffer.from(unavailableResponse(requestId, NOW, seconds)));
});

test('one answer leaves the next as it is', () => {
  const id = '3d0a3b2e-5d3f-4f5e-9a51-2f1f4d7e8a10';
  const first = Buffer.from(shedResponse(id, NOW, 1));
  shedResponse('ffffffff-5d3f-4f5e-9a51-2f1f4d7e8a10', new Date(0), 3);
  expect(Buffer.from(shedResponse(id, NOW, 1))).toEqual(first);
});
