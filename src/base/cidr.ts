// HOT
import { readCidrLines } from "./cidr-lines.ts"
import { buildCidrTables, type CidrTables } from "./cidr-tables.ts"
import { groupPair, ipv6Groups, isMapped, parseIpv4, parseIpv6 } from "./ip-text.ts"

export interface CidrOptions {
  /**
   * The set closes what it holds, so doubt counts as held: an IPv6 address that carries an IPv4 address of the set (NAT64, 6to4, Teredo, ISATAP,
   * IPv4-compatible) is in it, and so is text that is no address literal. Default false.
   */
  closing?: boolean
}

/**
 * A set of address prefixes and ranges. IPv4-mapped IPv6 (`::ffff:10.0.0.1`) counts as the IPv4 address that it is, in prefixes and in look-ups, so `::/0`
 * holds no IPv4. What overlaps is joined; the rest lies apart, sorted, and a look-up is one binary search in flat memory. 100,000 IPv4 prefixes take 1 MB;
 * there an index by the high bits leaves few steps of the search. (A trie would answer the same with more memory and more jumps; this set never needs
 * the longest match.)
 */
export class CidrSet {
  private readonly tables: CidrTables
  private readonly closing: boolean

  private constructor(tables: CidrTables, closing: boolean) {
    this.tables = tables
    this.closing = closing
  }

  /** Reads `10.0.0.0/8`, `192.0.2.1`, `2001:db8::/32`, `::1`, `10.0.0.5-10.0.0.9`. Throws AddressError, for bits right of the prefix too. */
  static parse(list: readonly string[], options: CidrOptions = {}): CidrSet {
    return new CidrSet(buildCidrTables(list), options.closing === true)
  }

  /**
   * Reads a text with one of them a line; empty lines and what follows `#` or `;` mean nothing. Throws AddressError, which names the line: a list that
   * was read in part would let in, or keep out, whom it should not.
   */
  static parseLines(content: string, options: CidrOptions = {}): CidrSet {
    return new CidrSet(readCidrLines(content), options.closing === true)
  }

  /** Ranges that are kept: what lies in another is not. */
  get size(): number {
    return this.tables.starts4.length + this.tables.starts6.length / 4
  }

  /** Whether the set holds the address. A zone (`fe80::1%eth0`) is left out of account. Without allocation. */
  has(address: string): boolean {
    const bits = parseIpv4(address, 0, address.length)
    if (bits >= 0) return this.hasIpv4(bits)
    const zone = address.indexOf("%")
    if (!parseIpv6(address, 0, zone < 0 ? address.length : zone)) return this.closing
    if (isMapped()) return this.hasIpv4(groupPair(6))
    return this.hasIpv6() || (this.closing && this.hasCarried())
  }

  /** Looks up the IPv4 address inside the IPv6 address that was read last. */
  private hasCarried(): boolean {
    const g = ipv6Groups
    // 6to4, 2002:V4::/16 (RFC 3056)
    if (g[0] === 0x2002) return this.hasIpv4(groupPair(1))
    // Teredo, 2001::/32: the server's address, and the client's with all bits flipped (RFC 4380 section 4)
    if (g[0] === 0x2001 && g[1] === 0) return this.hasIpv4(groupPair(2)) || this.hasIpv4(0xffffffff - groupPair(6))
    // NAT64, 64:ff9b::/96 (RFC 6052 section 2.1) and the local 64:ff9b:1::/48 (RFC 8215) with the address in its usual place
    if (g[0] === 0x64 && g[1] === 0xff9b) return this.hasIpv4(groupPair(6))
    // ISATAP, interface identifier 0:5efe:V4 or 200:5efe:V4 under any prefix (RFC 5214 section 6.1)
    if ((g[4]! & ~0x200) === 0 && g[5] === 0x5efe) return this.hasIpv4(groupPair(6))
    // IPv4-compatible, ::V4 (RFC 4291 section 2.5.5.1)
    return (g[0]! | g[1]! | g[2]! | g[3]! | g[4]! | g[5]!) === 0 && this.hasIpv4(groupPair(6))
  }

  /** Binary search for the last prefix that begins at or before the address. */
  private hasIpv4(bits: number): boolean {
    const { starts4, ends4, index4 } = this.tables
    let low = 0
    let high = starts4.length
    if (index4 !== null) {
      low = index4[bits >>> 16]!
      high = index4[(bits >>> 16) + 1]!
    }
    while (low < high) {
      const middle = (low + high) >>> 1
      if (starts4[middle]! <= bits) low = middle + 1
      else high = middle
    }
    return low > 0 && bits <= ends4[low - 1]!
  }

  /** The same for the IPv6 address that was read last. */
  private hasIpv6(): boolean {
    const { starts6, ends6 } = this.tables
    let low = 0
    let high = starts6.length >>> 2
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compare(starts6, middle) <= 0) low = middle + 1
      else high = middle
    }
    return low > 0 && compare(ends6, low - 1) >= 0
  }
}

/** Whether entry `at` lies before (< 0), at (0) or behind (> 0) the address that was read last. */
function compare(words: Uint32Array, at: number): number {
  for (let word = 0; word < 4; word++) {
    const difference = words[at * 4 + word]! - groupPair(word * 2)
    if (difference !== 0) return difference
  }
  return 0
}
