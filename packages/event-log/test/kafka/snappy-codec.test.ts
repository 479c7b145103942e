import fc from 'fast-check';
import { compressSync } from 'snappy';
import { expect, test } from 'vitest';
import { SNAPPY_CODEC } from '../../src/kafka/snappy-codec.js';

/** As Java's producers frame what they compress: a mark, two versions, then blocks with their lengths. */
function xerial(blocks: readonly Buffer[]): Buffer {
  const header = Buffer.concat([Buffer.from([0x82]), Buffer.from('SNAPPY\0', 'latin1'), Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);
  const framed = blocks.flatMap((block) => {
    const compressed = compressSync(block);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(compressed.length);
    return [length, compressed];
  });
  return Buffer.concat([header, ...framed]);
}

const bytes = fc.uint8Array({ maxLength: 2000 }).map((array) => Buffer.from(array));

test('what it compresses it reads again', async () => {
  await fc.assert(
    fc.asyncProperty(bytes, async (buffer) => {
      const read = await SNAPPY_CODEC.decompress(await SNAPPY_CODEC.compress({ buffer }));
      expect(read.equals(buffer)).toBe(true);
    }),
  );
});

test('it reads blocks in the framing of Java', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { maxLength: 5 }), async (blocks) => {
      const read = await SNAPPY_CODEC.decompress(xerial(blocks));
      expect(read.equals(Buffer.concat(blocks))).toBe(true);
    }),
  );
});

test('bytes that are no snappy reject', async () => {
  await expect(SNAPPY_CODEC.decompress(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x01]))).rejects.toThrow();
});
