import { HpackError } from "./error.ts";
import { codes, endOfString } from "./huffman-code.ts";

// Decoding goes by half octets. For each node of the code's tree and each four bits, a table has
// the next node and the symbol passed on the way. No code is shorter than five bits, so there is at
// most one symbol.
const emits = 1 << 8;
const nodeShift = 9;
const dead = -1;
const { steps, mayEndAt } = compile();

/**
 * Decodes the octets from `start` to `end` into the beginning of `into`, and returns their number.
 * `into` has capacity for 8/5 of them. Throws for padding of more than seven bits or of other bits
 * than the end's, and for the end itself (5.2).
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, into: Uint8Array): number {
  let length = 0;
  let node = 0;
  for (let at = start; at < end; at++) {
    const octet = bytes[at]!;
    let step = steps[(node << 4) | (octet >>> 4)]!;
    if (step === dead) throw new HpackError("a Huffman string holds the end-of-string code");
    if (step & emits) into[length++] = step & 0xff;
    step = steps[((step >>> nodeShift) << 4) | (octet & 15)]!;
    if (step === dead) throw new HpackError("a Huffman string holds the end-of-string code");
    if (step & emits) into[length++] = step & 0xff;
    node = step >>> nodeShift;
  }
  if (mayEndAt[node] === 0) throw new HpackError("a Huffman string is padded wrongly");
  return length;
}

const bitsOf = Uint32Array.from(codes, (code) => code.bits);
const lengthOf = Uint8Array.from(codes, (code) => code.length);

/** Returns the octets that `text` (latin-1) takes when coded. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let index = 0; index < text.length; index++) bits += lengthOf[text.charCodeAt(index) & 0xff]!;
  return (bits + 7) >>> 3;
}

/**
 * Writes `text` (latin-1) coded, and returns the position after it. The caller has reserved
 * `huffmanLength` octets.
 */
export function writeHuffman(bytes: Uint8Array, at: number, text: string): number {
  let pending = 0;
  let held = 0;
  for (let index = 0; index < text.length; index++) {
    const symbol = text.charCodeAt(index) & 0xff;
    let length = lengthOf[symbol]!;
    const code = bitsOf[symbol]!;
    // Octet by octet: seven bits held over and a code of thirty would not fit the 32 bits of
    // shifts.
    while (length > 0) {
      const take = Math.min(8 - held, length);
      pending = (pending << take) | ((code >>> (length - take)) & ((1 << take) - 1));
      held += take;
      length -= take;
      if (held === 8) {
        bytes[at++] = pending;
        pending = held = 0;
      }
    }
  }
  if (held > 0) bytes[at++] = (pending << (8 - held)) | (0xff >>> held);
  return at;
}

function compile(): { steps: Int32Array; mayEndAt: Uint8Array } {
  // The tree, node by node: a child is a node above 0, a leaf ~symbol below 0, or 0 if missing.
  const tree: [number, number][] = [[0, 0]];
  for (const { symbol, bits, length } of codes) {
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const side = (bits >>> bit) & 1;
      let next = tree[node]![side]!;
      if (next === 0) {
        next = tree.push([0, 0]) - 1;
        tree[node]![side] = next;
      }
      node = next;
    }
    tree[node]![bits & 1] = ~symbol;
  }

  const steps = new Int32Array(tree.length << 4);
  for (let from = 0; from < tree.length; from++) {
    for (let four = 0; four < 16; four++) {
      let node = from;
      let emitted = 0;
      for (let bit = 3; bit >= 0 && node !== dead; bit--) {
        const next = tree[node]![(four >>> bit) & 1]!;
        if (next >= 0) node = next;
        else if (~next === endOfString) node = dead;
        else {
          emitted = emits | ~next;
          node = 0;
        }
      }
      steps[(from << 4) | four] = node === dead ? dead : (node << nodeShift) | emitted;
    }
  }

  // A string may end at a symbol's end, or up to seven one bits after it: the beginning of the
  // end-of-string code.
  const mayEndAt = new Uint8Array(tree.length);
  for (let node = 0, ones = 0; ones <= 7; node = tree[node]![1], ones++) mayEndAt[node] = 1;
  return { steps, mayEndAt };
}
