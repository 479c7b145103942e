/** The encoding of Kafka's flexible messages, as much of it as is needed: compact strings and arrays, and tags. */

export interface WireWriter {
  bytes(bytes: Buffer): void;
  /** The count of an array's elements. */
  compactLength(length: number): void;
  compactString(text: string): void;
  /** No tagged fields. */
  tags(): void;
}

export function wireBytes(write: (out: WireWriter) => void): Buffer {
  const parts: Buffer[] = [];
  const varint = (value: number) => {
    const bytes: number[] = [];
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
    parts.push(Buffer.from([...bytes, rest]));
  };
  write({
    bytes: (bytes) => parts.push(bytes),
    compactLength: (length) => varint(length + 1),
    compactString: (text) => {
      const bytes = Buffer.from(text);
      varint(bytes.length + 1);
      parts.push(bytes);
    },
    tags: () => varint(0),
  });
  return Buffer.concat(parts);
}

/** Reads on and on in one message. Throws a RangeError where the message is shorter than it says. */
export class WireReader {
  private at = 0;

  constructor(private readonly message: Buffer) {}

  bytes(length: number): Buffer {
    if (this.at + length > this.message.length) throw new RangeError('a message of Kafka ends too early');
    this.at += length;
    return this.message.subarray(this.at - length, this.at);
  }

  int16(): number {
    return this.bytes(2).readInt16BE(0);
  }

  int32(): number {
    return this.bytes(4).readInt32BE(0);
  }

  /** Undefined for null. */
  compactString(): string | undefined {
    const length = this.varint() - 1;
    return length < 0 ? undefined : this.bytes(length).toString('utf8');
  }

  compactArray<Element>(read: () => Element): Element[] {
    const elements: Element[] = [];
    for (let left = this.varint() - 1; left > 0; left--) elements.push(read());
    return elements;
  }

  skipTags(): void {
    for (let left = this.varint(); left > 0; left--) {
      this.varint();
      this.bytes(this.varint());
    }
  }

  private varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes(1)[0] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }
}
