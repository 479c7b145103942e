import { HUFFMAN_LENGTHS } from './hpack-tables.js';

/**
 * Decodes Huffman's code of HPACK (RFC 7541, section 5.2) by half bytes: the shortest code has five bits, so that a half byte
 * ends at most one. For each node of the code's tree and each half byte stands where that leads and what it ends.
 */

const END_OF_STRING = 256;
const HALVES = 16;
const NO_SYMBOL = -1;
/** Leads nowhere: the end of string, which no string may hold. */
const NOWHERE = -1;

/** Children of each node: another node (0 and up), or a symbol (`-2 - symbol`). */
const tree: [number, number][] = buildTree();
const next = new Int16Array(tree.length * HALVES);
const symbols = new Int16Array(tree.length * HALVES).fill(NO_SYMBOL);
/** Nodes at which a string may end: at most seven bits into the code of the end of string, all ones. */
const mayEnd = new Uint8Array(tree.length);
fillTables();

/** Writes what `bytes` from `start` to `end` stand for into `out`, and returns how much that was; -1 where it is no such code. */
export function decodeHuffman(bytes: Buffer, start: number, end: number, out: Buffer): number {
  let node = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    for (let shift = 4; shift >= 0; shift -= 4) {
      const entry = node * HALVES + ((byte >> shift) & 15);
      node = next[entry] as number;
      if (node === NOWHERE) return -1;
      const symbol = symbols[entry] as number;
      if (symbol !== NO_SYMBOL) out[length++] = symbol;
    }
  }
  return mayEnd[node] === 1 ? length : -1;
}

/** Canonical: codes follow each other by length, then by symbol. */
function buildTree(): [number, number][] {
  const nodes: [number, number][] = [[0, 0]];
  const order = HUFFMAN_LENGTHS.map((length, symbol) => ({ length, symbol })).sort(
    (a, b) => a.length - b.length || a.symbol - b.symbol,
  );
  let code = 0;
  let codeLength = order[0]?.length ?? 0;
  for (const { length, symbol } of order) {
    code *= 2 ** (length - codeLength);
    codeLength = length;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const children = nodes[node] as [number, number];
      const side = Math.floor(code / 2 ** bit) % 2;
      if (children[side] === 0) children[side] = nodes.push([0, 0]) - 1;
      node = children[side] as number;
    }
    (nodes[node] as [number, number])[code % 2] = -2 - symbol;
    code++;
  }
  return nodes;
}

function fillTables(): void {
  for (let node = 0; node < tree.length; node++) {
    for (let half = 0; half < HALVES; half++) follow(node, half);
  }
  for (let ones = 0, node = 0; ones < 8 && node >= 0; ones++) {
    mayEnd[node] = 1;
    node = (tree[node] as [number, number])[1];
  }
}

function follow(from: number, half: number): void {
  const entry = from * HALVES + half;
  let node = from;
  for (let bit = 3; bit >= 0; bit--) {
    const child = (tree[node] as [number, number])[((half >> bit) & 1) as 0 | 1];
    if (child >= 0) {
      node = child;
      continue;
    }
    const symbol = -2 - child;
    if (symbol === END_OF_STRING) {
      next[entry] = NOWHERE;
      return;
    }
    symbols[entry] = symbol;
    node = 0;
  }
  next[entry] = node;
}
