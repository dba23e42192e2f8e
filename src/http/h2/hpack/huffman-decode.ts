// HOT
/**
 * Huffman decoding by four bits at a step (RFC 7541 section 5.2).
 *
 *   STEPS[state * 16 + nibble] = | fails | ends well | emits | symbol 8 | next state 8 |
 *
 * A state is an inner node of the code's tree: 256 of them, the root is 0. The shortest code has five bits, so a step emits one symbol at most.
 */
import { CODES, EOS, LENGTHS } from "./huffman-code.ts"

const EMITS_AT = 16
const ENDS_WELL = 1 << 17
const FAILS = 1 << 18
// Padding: the beginning of EOS, so ones alone, and fewer than eight of them.
const PADDING_MAX = 7

const STEPS = new Uint32Array(256 * 16)
buildSteps()

/** Writes the symbols of octets[at, end) to `out` from 0 on; returns how many, -1 when the code is broken. `out` needs huffmanDecodedMax(end - at) octets. */
export function decodeHuffman(octets: Uint8Array, at: number, end: number, out: Uint8Array): number {
  let state = 0
  let step = ENDS_WELL
  let all = 0
  let count = 0
  while (at < end) {
    const octet = octets[at++]!
    step = STEPS[(state << 4) | (octet >> 4)]!
    all |= step
    out[count] = step >> 8
    count += (step >> EMITS_AT) & 1
    step = STEPS[((step & 0xff) << 4) | (octet & 15)]!
    all |= step
    out[count] = step >> 8
    count += (step >> EMITS_AT) & 1
    state = step & 0xff
  }
  return (all & FAILS) !== 0 || (step & ENDS_WELL) === 0 ? -1 : count
}

/** Octets that so many encoded ones can become, with one that the loop above writes ahead. */
export function huffmanDecodedMax(length: number): number {
  return Math.floor((length * 8) / 5) + 1
}

function buildSteps(): void {
  // children[2 * node + bit]: an inner node, or -1 - symbol
  const children: number[] = [0, 0]
  const depthOfOnes = new Map<number, number>([[0, 0]])
  for (let symbol = 0; symbol <= EOS; symbol++) addCode(children, symbol)
  let node = 0
  for (let depth = 1; depth <= PADDING_MAX; depth++) {
    node = children[2 * node + 1]!
    depthOfOnes.set(node, depth)
  }
  for (let state = 0; state < children.length / 2; state++) {
    for (let nibble = 0; nibble < 16; nibble++) STEPS[(state << 4) | nibble] = stepFrom(children, state, nibble, depthOfOnes)
  }
}

function addCode(children: number[], symbol: number): void {
  let node = 0
  for (let bit = LENGTHS[symbol]! - 1; bit >= 0; bit--) {
    const place = 2 * node + ((CODES[symbol]! >>> bit) & 1)
    if (bit === 0) children[place] = -1 - symbol
    else if (children[place] === 0) {
      children[place] = children.length / 2
      children.push(0, 0)
    }
    node = children[place]!
  }
}

function stepFrom(children: readonly number[], state: number, nibble: number, depthOfOnes: ReadonlyMap<number, number>): number {
  let node = state
  let emitted = 0
  for (let bit = 3; bit >= 0; bit--) {
    node = children[2 * node + ((nibble >> bit) & 1)]!
    if (node >= 0) continue
    const symbol = -1 - node
    if (symbol === EOS) return FAILS
    emitted = (1 << EMITS_AT) | (symbol << 8)
    node = 0
  }
  return emitted | node | (depthOfOnes.has(node) ? ENDS_WELL : 0)
}
