/** The bytes of `response_headers_to_add` of a RateLimitResponse, field 3: a HeaderValue of key (1) and value (2) each. */
const FIELD = 0x1a;
const KEY = 0x0a;
const VALUE = 0x12;
const ZERO = 0x30;

/** Field 1 of a HeaderValue, made once for each name, which are words of the code. */
export type HeaderName = Uint8Array;

/** A value that is a number is a whole one of at least 0. */
export type Header = readonly [HeaderName, string | number];

export function headerName(text: string): HeaderName {
  const name = Buffer.from(text);
  const bytes = Buffer.alloc(sizeOfMessage(name.length));
  bytes[0] = KEY;
  bytes.set(name, writeVarint(bytes, 1, name.length));
  return bytes;
}

/**
 * Encodes the headers of an answer. They are most of what an answer says, on every request, and mostly numbers: written by
 * hand they cost a quarter of what the generated code takes.
 */
export function headerBytes(headers: readonly Header[]): Buffer {
  let total = 0;
  for (const [name, value] of headers) total += sizeOfMessage(name.length + sizeOfMessage(sizeOf(value)));
  const out = Buffer.allocUnsafe(total);
  let at = 0;
  for (const [name, value] of headers) {
    const valueBytes = sizeOf(value);
    out[at++] = FIELD;
    at = writeVarint(out, at, name.length + sizeOfMessage(valueBytes));
    out.set(name, at);
    at += name.length;
    out[at++] = VALUE;
    at = writeVarint(out, at, valueBytes);
    if (typeof value === 'number') writeDigits(out, at, valueBytes, value);
    else out.write(value, at);
    at += valueBytes;
  }
  return out;
}

/** With its tag and its length. */
function sizeOfMessage(bytes: number): number {
  return 1 + sizeOfVarint(bytes) + bytes;
}

function sizeOf(value: string | number): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  let digits = 1;
  for (let next = 10; value >= next; next *= 10) digits++;
  return digits;
}

function writeDigits(out: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const tens = Math.floor(rest / 10);
    out[i] = ZERO + (rest - tens * 10);
    rest = tens;
  }
}

function sizeOfVarint(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) size++;
  return size;
}

function writeVarint(out: Buffer, at: number, value: number): number {
  let next = at;
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) out[next++] = (rest & 0x7f) | 0x80;
  out[next++] = rest;
  return next;
}
