import { compress, uncompress } from 'snappy';

/** Java's producers cut what they compress into blocks, behind this mark, a version and a compatible version. */
const XERIAL_MARK = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;

/** Snappy as kafkajs takes it: writes it plain, which every reader knows, and also reads Java's framing. */
export const SNAPPY_CODEC = {
  compress: ({ buffer }: { buffer: Buffer }): Promise<Buffer> => compress(buffer),
  decompress: async (bytes: Buffer): Promise<Buffer> => {
    if (!bytes.subarray(0, XERIAL_MARK.length).equals(XERIAL_MARK)) return uncompressed(bytes);
    const blocks: Buffer[] = [];
    let at = XERIAL_HEADER_BYTES;
    while (at < bytes.length) {
      const end = at + 4 + bytes.readUInt32BE(at);
      blocks.push(await uncompressed(bytes.subarray(at + 4, end)));
      at = end;
    }
    return Buffer.concat(blocks);
  },
};

async function uncompressed(bytes: Buffer): Promise<Buffer> {
  return (await uncompress(bytes)) as Buffer;
}
