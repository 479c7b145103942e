import { compressSync, uncompressSync } from 'snappy';

/** Java's producers cut what they compress into blocks, behind this mark, a version and a compatible version. */
const XERIAL_MARK = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;

/**
 * Snappy as kafkajs takes it: writes it plain, which every reader knows, and also reads Java's framing. A record batch is at most
 * some hundred KiB, for which the way to another thread and back would cost more than the work.
 */
export const SNAPPY_CODEC = {
  compress: async ({ buffer }: { buffer: Buffer }): Promise<Buffer> => compressSync(buffer),
  decompress: async (bytes: Buffer): Promise<Buffer> => {
    if (!bytes.subarray(0, XERIAL_MARK.length).equals(XERIAL_MARK)) return uncompressed(bytes);
    const blocks: Buffer[] = [];
    let at = XERIAL_HEADER_BYTES;
    while (at < bytes.length) {
      const end = at + 4 + bytes.readUInt32BE(at);
      blocks.push(uncompressed(bytes.subarray(at + 4, end)));
      at = end;
    }
    return Buffer.concat(blocks);
  },
};

function uncompressed(bytes: Buffer): Buffer {
  return uncompressSync(bytes) as Buffer;
}
