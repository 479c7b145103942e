import { STATIC_TABLE } from './hpack-tables.js';

/**
 * A header block that says these, in this order (RFC 7541, section 6.2.2). Nothing of it is put into the peer's table, so that
 * the bytes mean the same on each connection, at any time: what is said often is encoded once. ASCII only, names in lower case.
 */
export function encodeHeaders(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.map(([name, value]) => encodeField(name, value)));
}

function encodeField(name: string, value: string): Buffer {
  const whole = STATIC_TABLE.findIndex((entry) => entry[0] === name && entry[1] === value);
  if (whole !== -1) return integer(0x80, 0x7f, whole + 1);
  const named = STATIC_TABLE.findIndex((entry) => entry[0] === name);
  const head = named === -1 ? [integer(0, 0x0f, 0), text(name)] : [integer(0, 0x0f, named + 1)];
  return Buffer.concat([...head, text(value)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(0, 0x7f, bytes.length), bytes]);
}

/** RFC 7541, section 5.1: as many bits as `mask` has, in a byte whose other bits are `lead`. */
function integer(lead: number, mask: number, value: number): Buffer {
  if (value < mask) return Buffer.from([lead | value]);
  const bytes = [lead | mask];
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push(0x80 | (rest % 0x80));
  return Buffer.from([...bytes, rest]);
}
