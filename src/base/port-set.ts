import { AddressError } from "./address.ts"

/** Ports of a rule, as a bit each: 8 KB and no search. */
export class PortSet {
  private readonly bits = new Uint32Array(2048)
  private readonly ranges: string[] = []

  /** Reads `443`, `"80"`, `"1025-65535"`. Throws AddressError. */
  static parse(list: readonly (string | number)[]): PortSet {
    const set = new PortSet()
    for (const entry of list) set.add(String(entry))
    return set
  }

  has(port: number): boolean {
    return port >= 1 && port <= 65535 && ((this.bits[port >>> 5]! >>> (port & 31)) & 1) === 1
  }

  /** As written, for messages: `80, 443, 1025-65535`. */
  toString(): string {
    return this.ranges.join(", ")
  }

  private add(text: string): void {
    const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text.trim())
    const first = found ? Number(found[1]) : 0
    const last = found?.[2] === undefined ? first : Number(found[2])
    if (first < 1 || last > 65535 || last < first) {
      throw new AddressError(
        `${JSON.stringify(text)} is not a port or range of ports: expected a number from 1 to 65535 or a range such as "1025-65535"`,
      )
    }
    for (let port = first; port <= last; port++) this.bits[port >>> 5]! |= 1 << (port & 31)
    this.ranges.push(text.trim())
  }
}
