import type { Random } from './random.js';

const INTERESTING = [0, 1, 9, 10, 13, 32, 34, 44, 58, 59, 92, 127, 128, 192, 237, 255];
const MAX_CHANGES = 8;
const MAX_BYTES = 20_000;

/** What mutations put in: words that mean something to the code under test. */
export interface Material {
  /** Whole inputs, of which parts are spliced in. */
  others: readonly Uint8Array[];
  words: readonly string[];
}

/** A valid input with a few changes; now and then as it was, or nothing but noise. */
export function mutated(valid: Uint8Array, { others, words }: Material, random: Random): Buffer {
  if (random.chance(0.05)) return Buffer.from(valid);
  if (random.chance(0.05)) return random.bytes(random.below(300));
  let bytes: Buffer = Buffer.from(valid);
  for (let left = 1 + random.below(MAX_CHANGES); left > 0; left--) {
    const change = random.pick(CHANGES);
    bytes = change(bytes, random, { others, words }).subarray(0, MAX_BYTES);
  }
  return bytes;
}

type Change = (bytes: Buffer, random: Random, material: Material) => Buffer;

const CHANGES: readonly Change[] = [
  function flipBit(bytes, random) {
    if (bytes.length === 0) return bytes;
    const at = random.below(bytes.length);
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
    return flipped;
  },
  function setByte(bytes, random) {
    if (bytes.length === 0) return bytes;
    const set = Buffer.from(bytes);
    set[random.below(bytes.length)] = random.chance(0.5) ? random.pick(INTERESTING) : random.below(256);
    return set;
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  function cutOut(bytes, random) {
    const [start, end] = range(bytes, random);
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
  },
  function repeat(bytes, random) {
    const [start, end] = range(bytes, random);
    const times = random.chance(0.1) ? 50 : 1;
    const part = bytes.subarray(start, end);
    return Buffer.concat([bytes.subarray(0, end), ...Array.from({ length: times }, () => part), bytes.subarray(end)]);
  },
  function splice(bytes, random, { others }) {
    if (others.length === 0) return bytes;
    const other = Buffer.from(random.pick(others));
    const [start, end] = range(other, random);
    const at = random.below(bytes.length + 1);
    return Buffer.concat([
      bytes.subarray(0, at),
      other.subarray(start, end),
      bytes.subarray(random.chance(0.5) ? at : bytes.length),
    ]);
  },
  (bytes, random) => inserted(bytes, random.bytes(1 + random.below(16)), random),
  (bytes, random, { words }) => (words.length === 0 ? bytes : inserted(bytes, Buffer.from(random.pick(words)), random)),
];

function inserted(bytes: Buffer, more: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
}

function range(bytes: Buffer, random: Random): [start: number, end: number] {
  const [a, b] = [random.below(bytes.length + 1), random.below(bytes.length + 1)];
  return [Math.min(a, b), Math.max(a, b)];
}

/** A text with the same kind of changes. */
export function mutatedText(
  valid: string,
  material: { others: readonly string[]; words: readonly string[] },
  random: Random,
): string {
  const others = material.others.map((other) => Buffer.from(other));
  return mutated(Buffer.from(valid), { others, words: material.words }, random).toString('utf8');
}
