/**
 * A set of 64-bit fingerprints of SHA-256 hashes: open addressing over one Uint32Array, 8 bytes a slot, at most 4 of 5 slots
 * taken, so 10 to 15 bytes a hash. A stranger's hash is in it by chance once in 2^64 / size times.
 */
export interface FingerprintSet {
  /** `hash` is SHA-256 in hex. */
  add(hash: string): void;
  has(hash: string): boolean;
  size(): number;
  /** Memory that the slots take. */
  byteLength(): number;
}

const FIRST_CAPACITY = 1024;
const FULLEST = 0.8;
const GROWTH = 1.5;
const WORDS = 2 ** 32;

/** An empty set. It grows and never shrinks; what must be forgotten is left out of a new one. */
export function createFingerprintSet(): FingerprintSet {
  let capacity = FIRST_CAPACITY;
  /** A slot is two words; two zeros are an empty one. */
  let slots = new Uint32Array(2 * capacity);
  let size = 0;
  let hasZero = false;

  /** The slot that holds the fingerprint, or the empty one where it belongs. */
  function place(high: number, low: number): number {
    // By the low word: hashes arrive sorted by the high one, and would crowd into one end of a table that is still small.
    let slot = Math.floor((low / WORDS) * capacity);
    for (;;) {
      const [h, l] = [slots[2 * slot], slots[2 * slot + 1]];
      if ((h === high && l === low) || (h === 0 && l === 0)) return slot;
      slot = slot + 1 === capacity ? 0 : slot + 1;
    }
  }

  function put(high: number, low: number): boolean {
    const slot = place(high, low);
    const isNew = slots[2 * slot] === 0 && slots[2 * slot + 1] === 0;
    slots[2 * slot] = high;
    slots[2 * slot + 1] = low;
    return isNew;
  }

  function grow(): void {
    const old = slots;
    capacity = Math.ceil(capacity * GROWTH);
    slots = new Uint32Array(2 * capacity);
    for (let i = 0; i < old.length; i += 2) {
      const [high, low] = [old[i] as number, old[i + 1] as number];
      if (high !== 0 || low !== 0) put(high, low);
    }
  }

  return {
    add(hash) {
      const [high, low] = fingerprint(hash);
      if (high === 0 && low === 0) {
        if (!hasZero) size++;
        hasZero = true;
        return;
      }
      if (size + 1 > capacity * FULLEST) grow();
      if (put(high, low)) size++;
    },
    has(hash) {
      const [high, low] = fingerprint(hash);
      if (high === 0 && low === 0) return hasZero;
      const slot = place(high, low);
      return slots[2 * slot] === high && slots[2 * slot + 1] === low;
    },
    size: () => size,
    byteLength: () => slots.byteLength,
  };
}

function fingerprint(hash: string): [high: number, low: number] {
  const high = Number.parseInt(hash.slice(0, 8), 16);
  const low = Number.parseInt(hash.slice(8, 16), 16);
  if (Number.isNaN(high) || Number.isNaN(low)) throw new RangeError('a hash is SHA-256 in hex');
  return [high, low];
}
