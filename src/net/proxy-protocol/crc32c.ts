const table = new Uint32Array(256)
for (let octet = 0; octet < 256; octet++) {
  let value = octet
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  table[octet] = value
}

/** CRC-32C (Castagnoli; RFC 9260 appendix A) of `bytes`, with the four octets at `blankAt` taken as zeros; -1 = none. */
export function crc32c(bytes: Uint8Array, blankAt = -1): number {
  let crc = 0xffffffff
  for (let i = 0; i < bytes.length; i++) {
    const octet = blankAt >= 0 && i >= blankAt && i < blankAt + 4 ? 0 : bytes[i]!
    crc = table[(crc ^ octet) & 255]! ^ (crc >>> 8)
  }
  return ~crc >>> 0
}
