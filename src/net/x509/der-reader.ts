/** One element as it stands in its surroundings. */
export interface DerElement {
  readonly tag: number
  readonly content: Buffer
}

export class DerError extends Error {
  override name = "DerError"
}

const LENGTH_OCTETS_MAX = 4

/** The elements that stand in `octets` one behind the other. Throws DerError when they are cut. */
export function elements(octets: Uint8Array): DerElement[] {
  const found: DerElement[] = []
  for (let at = 0; at < octets.length; ) {
    const { content, next } = one(Buffer.from(octets.buffer, octets.byteOffset, octets.length), at)
    found.push({ tag: octets[at]!, content })
    at = next
  }
  return found
}

function one(octets: Buffer, at: number): { content: Buffer; next: number } {
  const first = octets[at + 1]
  if (first === undefined) throw new DerError("an element is cut behind its tag")
  const count = first < 0x80 ? 0 : first & 0x7f
  if (count > LENGTH_OCTETS_MAX || first === 0x80) throw new DerError("an element's length is no length of DER")
  if (at + 2 + count > octets.length) throw new DerError("an element is cut in its length")
  const length = count === 0 ? first : octets.readUIntBE(at + 2, count)
  const start = at + 2 + count
  if (start + length > octets.length) throw new DerError("an element is cut in its content")
  return { content: octets.subarray(start, start + length), next: start + length }
}
