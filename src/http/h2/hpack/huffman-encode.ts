// HOT
/**
 * Huffman encoding (RFC 7541 section 5.2).
 *
 *   pending: | bits not written yet, fewer than 8 | next code, up to 30 bits |
 */
import { CODES, LENGTHS } from "./huffman-code.ts"

/** Octets that the text needs in Huffman code. The text is latin1. */
export function huffmanLength(text: string): number {
  let bits = 7
  for (let i = 0; i < text.length; i++) bits += LENGTHS[text.charCodeAt(i) & 0xff]!
  return bits >>> 3
}

/** Writes the text; returns the index behind. */
export function encodeHuffman(text: string, out: Uint8Array, at: number): number {
  let pending = 0
  let bits = 0
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff
    const length = LENGTHS[symbol]!
    const code = CODES[symbol]!
    if (length > 24) {
      // Together with what is pending it would not fit into 32 bits: in two parts.
      pending = (pending << (length - 16)) | (code >>> 16)
      bits += length - 16
      while (bits >= 8) out[at++] = pending >>> (bits -= 8)
      pending = (pending << 16) | (code & 0xffff)
      bits += 16
    } else {
      pending = (pending << length) | code
      bits += length
    }
    while (bits >= 8) out[at++] = pending >>> (bits -= 8)
  }
  if (bits > 0) out[at++] = (pending << (8 - bits)) | (0xff >>> bits)
  return at
}
