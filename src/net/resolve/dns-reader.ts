const NAME_OCTETS_MAX = 255

/**
 * Reads a DNS message from its start. Never throws: the first thing that is wrong is kept in `fault`, and all reads after it give 0 or "",
 * so a caller checks once at the end (and inside loops, to end them).
 */
export class DnsReader {
  readonly bytes: Uint8Array
  at: number
  fault: string

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.at = 0
    this.fault = ""
  }

  uint8(): number {
    if (this.at >= this.bytes.length) return this.fail("it ends too early")
    return this.bytes[this.at++]!
  }

  uint16(): number {
    return this.uint8() * 256 + this.uint8()
  }

  uint32(): number {
    return this.uint16() * 65_536 + this.uint16()
  }

  skip(octets: number): void {
    if (this.at + octets > this.bytes.length) this.fail("it ends too early")
    else this.at += octets
  }

  /**
   * A domain name in lower case without the final dot; the root is "". Octets that no host name has are written \ddd (RFC 4343 section 2.1).
   * A compression pointer (RFC 1035 section 4.1.4) must point before the labels that it continues, so every chain of pointers ends.
   * Without `pointers` there may be none, as in the data of newer types (RFC 3597 section 4).
   */
  name(pointers = true): string {
    let text = ""
    let octets = 1
    let at = this.at
    let segment = at
    let returnTo = -1
    while (this.fault === "") {
      const length = at < this.bytes.length ? this.bytes[at++]! : this.fail("a name ends too early")
      if (length === 0) break
      if (length >= 0xc0) {
        if (!pointers) this.fail("a name is compressed where it may not be")
        const target = (length & 0x3f) * 256 + (this.bytes[at++] ?? 0)
        if (at > this.bytes.length || target >= segment) this.fail("a compression pointer does not point back")
        if (returnTo < 0) returnTo = at
        at = segment = target
        continue
      }
      octets += length + 1
      if (length > 63) this.fail("a label has an unknown type")
      else if (at + length > this.bytes.length) this.fail("a name ends too early")
      else if (octets > NAME_OCTETS_MAX) this.fail("a name is longer than 255 octets")
      else text += (text === "" ? "" : ".") + labelText(this.bytes, at, at + length)
      at += length
    }
    this.at = returnTo < 0 ? at : returnTo
    return this.fault === "" ? text : ""
  }

  fail(fault: string): 0 {
    if (this.fault === "") this.fault = fault
    this.at = this.bytes.length
    return 0
  }
}

function labelText(bytes: Uint8Array, from: number, to: number): string {
  let text = ""
  for (let i = from; i < to; i++) {
    const octet = bytes[i]!
    const upper = octet >= 65 && octet <= 90
    const plain = upper || (octet >= 97 && octet <= 122) || (octet >= 48 && octet <= 57) || octet === 45 || octet === 95 || octet === 42
    text += plain ? String.fromCharCode(upper ? octet + 32 : octet) : `\\${String(octet).padStart(3, "0")}`
  }
  return text
}
