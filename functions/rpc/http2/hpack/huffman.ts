/**
 * How many bits each symbol has in HPACK's code, by its value; the last is EOS (RFC 7541 appendix B). The code is
 * canonical, so the lengths are all of it: shorter codes come first, and those of a length in the order of their
 * values.
 */
const codeLengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const endOfString = 256;

/**
 * A machine that reads four bits at a time. `steps[state * 16 + bits]` holds the next state, and above it the symbol
 * that has ended on the way, plus one; -1: the code is broken; 0: nobody has come by there yet. A state is a place in
 * the tree of codes, which all steps are made from: making them all would take 3 ms of the first call.
 */
interface Machine {
  readonly children: Int32Array;
  readonly steps: Int32Array;
  /** Whether a text may end in a state: after less than a byte of padding, all ones (RFC 7541 section 5.2). */
  readonly mayEnd: Uint8Array;
}

const stateBits = 9;
const broken = -1;
let machine: Machine | undefined;

/** Builds the tree of codes, each node of which is a pair of places in `children`: below zero are symbols. */
function treeOf(lengths: readonly number[]): Int32Array {
  const children = new Int32Array(2 * lengths.length);
  let nodes = 1;
  let code = 0;
  let codeBits = 0;
  const order = lengths
    .map((_, symbol) => symbol)
    .sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b);
  for (const symbol of order) {
    const bits = lengths[symbol] ?? 0;
    code <<= bits - codeBits;
    codeBits = bits;
    let node = 0;
    for (let at = bits - 1; at >= 0; at--) {
      const place = 2 * node + ((code >>> at) & 1);
      if (at === 0) children[place] = -1 - symbol;
      else {
        if (children[place] === 0) children[place] = nodes++;
        node = children[place] ?? 0;
      }
    }
    code += 1;
  }
  return children;
}

function buildMachine(): Machine {
  const children = treeOf(codeLengths);
  const states = codeLengths.length - 1;
  const mayEnd = new Uint8Array(states);
  mayEnd[0] = 1;
  for (let padding = 1, node = 0; padding < 8; padding++) {
    node = children[2 * node + 1] ?? 0;
    mayEnd[node] = 1;
  }
  return { children, steps: new Int32Array(16 * states), mayEnd };
}

/** Makes the step at a place of `steps`. */
function makeStep({ children, steps }: Machine, place: number): number {
  let node = place >> 4;
  let symbol = 0;
  for (let at = 3; at >= 0 && node !== broken; at--) {
    const next = children[2 * node + ((place >> at) & 1)] ?? 0;
    if (next >= 0) node = next;
    else if (-1 - next === endOfString) node = broken;
    else {
      symbol = -next;
      node = 0;
    }
  }
  const step = node === broken ? broken : (symbol << stateBits) | node;
  steps[place] = step;
  return step;
}

/**
 * Decodes bytes of HPACK's Huffman code.
 *
 * @param target takes the text, a byte a character: at most 8/5 of what is decoded
 * @returns how many characters there are; -1 if it is no such code, or its padding is wrong
 */
export function decodeHuffman(source: Uint8Array, from: number, to: number, target: Uint8Array): number {
  machine ??= buildMachine();
  const { steps, mayEnd } = machine;
  const stateMask = (1 << stateBits) - 1;
  let state = 0;
  let length = 0;
  for (let at = from; at < to; at++) {
    const byte = source[at] ?? 0;
    let place = 16 * state + (byte >> 4);
    let step = steps[place] ?? broken;
    if (step <= 0) {
      step = makeStep(machine, place);
      if (step === broken) return broken;
    }
    if (step > stateMask) target[length++] = (step >> stateBits) - 1;
    place = 16 * (step & stateMask) + (byte & 15);
    step = steps[place] ?? broken;
    if (step <= 0) {
      step = makeStep(machine, place);
      if (step === broken) return broken;
    }
    if (step > stateMask) target[length++] = (step >> stateBits) - 1;
    state = step & stateMask;
  }
  return mayEnd[state] === 1 ? length : broken;
}
