import { ConnectionError, ERROR } from './frames.js';
import { type HeaderField, headerField } from './header-field.js';
import { STATIC_TABLE } from './hpack-tables.js';
import { decodeHuffman } from './huffman.js';

/** Decodes the header blocks of one connection, in the order in which they came. */
export interface HpackDecoder {
  /** Throws a ConnectionError where the block is no HPACK, or longer than what is taken: the tables are out of step then. */
  decode(bytes: Buffer, start: number, end: number): HeaderField[];
}

/** What RFC 7541 lets the peer use until it is told otherwise, and nobody tells it otherwise. */
const TABLE_BYTES = 4096;
/** What an entry counts beside its bytes (RFC 7541, section 4.1). */
const ENTRY_BYTES = 32;
const MAX_INTEGER = 2 ** 28;
const STATIC: readonly HeaderField[] = STATIC_TABLE.map(([name, value]) => headerField(name, value));
const FIRST_DYNAMIC = STATIC.length + 1;
/** Entries that were pushed out are forgotten together, as an array is not shortened at its beginning for nothing. */
const FORGET_AT = 256;

/** `maxListBytes`: of all names and values of a block, decoded, with 32 for each. */
export function createHpackDecoder(maxListBytes: number): HpackDecoder {
  /** The newest last; those before `first` are gone. */
  let entries: HeaderField[] = [];
  let first = 0;
  let tableBytes = 0;
  let maxTableBytes = TABLE_BYTES;
  const scratch = Buffer.allocUnsafe(maxListBytes);
  /** The block that is being read, and where. */
  let block: Buffer = scratch;
  let at = 0;
  let blockEnd = 0;

  function broken(what: string): ConnectionError {
    return new ConnectionError(ERROR.compression, what);
  }

  /** An integer whose first bits stand in the byte at `at` (RFC 7541, section 5.1). */
  function integer(mask: number): number {
    let value = (block[at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      if (at >= blockEnd || shift > 28) throw broken('a number without an end');
      const byte = block[at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (value > MAX_INTEGER) throw broken('a number that is too large');
      if (byte < 0x80) return value;
    }
  }

  function text(): string {
    if (at >= blockEnd) throw broken('a block that ends too early');
    const isHuffman = ((block[at] as number) & 0x80) !== 0;
    const length = integer(0x7f);
    const start = at;
    at += length;
    if (at > blockEnd) throw broken('a text that ends too early');
    if (!isHuffman) return block.toString('latin1', start, at);
    // Five bits are the shortest code.
    if (length * 1.6 > maxListBytes) throw tooLong();
    const decoded = decodeHuffman(block, start, at, scratch);
    if (decoded < 0) throw broken("a text that is none of Huffman's code");
    return scratch.toString('latin1', 0, decoded);
  }

  function tooLong(): ConnectionError {
    return new ConnectionError(ERROR.enhanceYourCalm, `headers of more than ${maxListBytes} bytes`);
  }

  function entry(index: number): HeaderField {
    const found = index < FIRST_DYNAMIC ? STATIC[index - 1] : entries[entries.length - 1 - (index - FIRST_DYNAMIC)];
    if (found === undefined || (index >= FIRST_DYNAMIC && entries.length - (index - FIRST_DYNAMIC) <= first)) {
      throw broken('an entry of the table that is not there');
    }
    return found;
  }

  function literal(nameMask: number): HeaderField {
    const index = integer(nameMask);
    const name = index === 0 ? text() : entry(index).name;
    return headerField(name, text());
  }

  function remember(field: HeaderField): void {
    tableBytes += sizeOf(field);
    entries.push(field);
    pushOut();
  }

  function pushOut(): void {
    while (tableBytes > maxTableBytes) tableBytes -= sizeOf(entries[first++] as HeaderField);
    if (first < FORGET_AT) return;
    entries = entries.slice(first);
    first = 0;
  }

  function resize(): void {
    maxTableBytes = integer(0x1f);
    if (maxTableBytes > TABLE_BYTES) throw broken('a table that is larger than agreed');
    pushOut();
  }

  /** The next field, by the first bits of its first byte (RFC 7541, section 6). */
  function field(isFirst: boolean): HeaderField | undefined {
    const byte = block[at] as number;
    if (byte >= 0x80) return entry(integer(0x7f));
    if (byte >= 0x40) {
      const added = literal(0x3f);
      remember(added);
      return added;
    }
    if (byte < 0x20) return literal(0x0f);
    if (!isFirst) throw broken('a new size of the table in mid-block');
    resize();
    return undefined;
  }

  return {
    decode(bytes, start, end) {
      block = bytes;
      at = start;
      blockEnd = end;
      const fields: HeaderField[] = [];
      let listBytes = 0;
      while (at < blockEnd) {
        const next = field(fields.length === 0);
        if (next === undefined) continue;
        listBytes += sizeOf(next);
        if (listBytes > maxListBytes) throw tooLong();
        fields.push(next);
      }
      block = scratch; // The piece of the connection need not outlive this.
      return fields;
    },
  };
}

function sizeOf({ name, value }: HeaderField): number {
  return name.length + value.length + ENTRY_BYTES;
}
