import { expect, test } from 'vitest';
import { slotOf } from '../../src/redis/key-slot.js';

test('the slot of a tag is the one that the specification of Redis Cluster gives', () => {
  expect([slotOf('123456789'), slotOf('foo'), slotOf('bar')]).toEqual([0x31c3, 12_182, 5_061]);
});

test('whatever an organization is called, beyond ASCII too, its slot is counted bit by bit', () => {
  for (const name of ['', 'a', 'Größe', '漢字', '6f9619ff-8b86-d011-b42d-00c04fc964ff'])
    expect(slotOf(name)).toBe(bitwiseCrc(Buffer.from(name)) % 16_384);
});

function bitwiseCrc(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes)
    for (let bit = 7; bit >= 0; bit--) {
      const isHigh = (crc >> 15) ^ ((byte >> bit) & 1);
      crc = ((crc << 1) & 0xffff) ^ (isHigh ? 0x1021 : 0);
    }
  return crc;
}
