import { AddressError } from "./address.ts"
import { formatIpv4, formatIpv6, groupPair, ipv6Groups, isMapped, parseIpv4, parseIpv6 } from "./ip-text.ts"

/** A prefix as four words of 32 bits; an IPv4 one has its bits in the first word and `family` 4. */
interface Prefix {
  readonly family: 4 | 6
  readonly words: readonly number[]
  readonly length: number
}

/**
 * Ranges that lie apart, sorted, as first and last addresses:
 *
 *   starts4, ends4:  one word each          starts6, ends6:  four words each, the highest first
 *   index4:          by the 16 high bits of an address: how many ranges begin before the first address with these bits; null = few ranges
 */
export interface CidrTables {
  readonly starts4: Uint32Array
  readonly ends4: Uint32Array
  readonly starts6: Uint32Array
  readonly ends6: Uint32Array
  readonly index4: Uint32Array | null
}

/** From here on the index pays: 256 KB, for four steps of a search instead of 17 in 100,000 ranges. */
const INDEX_FROM = 2048

/** Ranges that one set may have. */
const RANGES_MAX = 1 << 20

/** Collects addresses, prefixes (`10.0.0.0/8`) and ranges (`10.0.0.5-10.0.0.9`), then lays them out. */
export class CidrTableBuilder {
  private pairs4: Uint32Array = new Uint32Array(128)
  private count4 = 0
  private words6: Uint32Array = new Uint32Array(128)
  private count6 = 0

  /** Reads what stands in `text` from `from` up to `to`. Throws AddressError. */
  add(text: string, from = 0, to: number = text.length): void {
    if (this.count4 + this.count6 >= RANGES_MAX) throw new AddressError(`expected at most ${RANGES_MAX} address ranges`)
    const bits = parseIpv4(text, from, to)
    if (bits >= 0) this.add4(bits, bits)
    else if (!this.addPrefix4(text, from, to)) this.addOther(text.slice(from, to))
  }

  /** The usual case, without allocation; false = not a plain IPv4 prefix without bits at the right. */
  private addPrefix4(text: string, from: number, to: number): boolean {
    let slash = to - 1
    while (slash > from && slash > to - 4 && text.charCodeAt(slash) !== 47) slash--
    if (text.charCodeAt(slash) !== 47) return false
    const bits = parseIpv4(text, from, slash)
    const length = decimal(text, slash + 1, to)
    if (bits < 0 || length < 0 || length > 32) return false
    const mask = hostMask(length, 0)
    if ((bits & mask) !== 0) return false
    this.add4(bits, (bits | mask) >>> 0)
    return true
  }

  private addOther(text: string): void {
    const dash = text.indexOf("-")
    if (dash >= 0) {
      this.addRange(text, dash)
      return
    }
    const prefix = parsePrefix(text)
    const last = [0, 1, 2, 3].map(word => lastWord(prefix, word))
    if (prefix.family === 4) this.add4(prefix.words[0]!, last[0]!)
    else this.add6(prefix.words, last)
  }

  private addRange(text: string, dash: number): void {
    const first = parseLiteral(text.slice(0, dash).trim())
    const last = parseLiteral(text.slice(dash + 1).trim())
    if (first.family !== last.family) fail(text, "its ends are not of one family")
    if (compareWords(first.words, last.words) > 0) fail(text, "it ends before it begins")
    if (first.family === 4) this.add4(first.words[0]!, last.words[0]!)
    else this.add6(first.words, last.words)
  }

  private add4(first: number, last: number): void {
    if (this.count4 * 2 === this.pairs4.length) this.pairs4 = grown(this.pairs4)
    this.pairs4[this.count4 * 2] = first
    this.pairs4[this.count4 * 2 + 1] = last
    this.count4++
  }

  private add6(first: readonly number[], last: readonly number[]): void {
    if (this.count6 * 8 === this.words6.length) this.words6 = grown(this.words6)
    this.words6.set(first, this.count6 * 8)
    this.words6.set(last, this.count6 * 8 + 4)
    this.count6++
  }

  build(): CidrTables {
    const [starts4, ends4] = this.build4()
    const [starts6, ends6] = this.build6()
    return { starts4, ends4, starts6, ends6, index4: starts4.length < INDEX_FROM ? null : indexOf(starts4) }
  }

  /** Sorted, without what lies in another range; ranges that overlap become one. */
  private build4(): [Uint32Array, Uint32Array] {
    const { pairs4: pairs, count4: count } = this
    // Start and place in one number of 52 bits: sorting plain numbers is the engine's own work.
    const order = new Float64Array(count)
    for (let i = 0; i < count; i++) order[i] = pairs[i * 2]! * RANGES_MAX + i
    order.sort()
    const starts = new Uint32Array(count)
    const ends = new Uint32Array(count)
    let kept = 0
    for (let k = 0; k < count; k++) {
      const i = order[k]! % RANGES_MAX
      const first = pairs[i * 2]!
      const last = pairs[i * 2 + 1]!
      if (kept > 0 && first <= ends[kept - 1]!) {
        if (last > ends[kept - 1]!) ends[kept - 1] = last
        continue
      }
      starts[kept] = first
      ends[kept++] = last
    }
    return [starts.slice(0, kept), ends.slice(0, kept)]
  }

  /** The same for IPv6. */
  private build6(): [Uint32Array, Uint32Array] {
    const { words6: words, count6: count } = this
    const order = Uint32Array.from({ length: count }, (_, i) => i).sort((left, right) => compareAt(words, left * 8, words, right * 8))
    const starts = new Uint32Array(count * 4)
    const ends = new Uint32Array(count * 4)
    let kept = 0
    for (const i of order) {
      const before = (kept - 1) * 4
      if (kept > 0 && compareAt(words, i * 8, ends, before) <= 0) {
        if (compareAt(words, i * 8 + 4, ends, before) > 0) ends.set(words.subarray(i * 8 + 4, i * 8 + 8), before)
        continue
      }
      starts.set(words.subarray(i * 8, i * 8 + 4), kept * 4)
      ends.set(words.subarray(i * 8 + 4, i * 8 + 8), kept * 4)
      kept++
    }
    return [starts.slice(0, kept * 4), ends.slice(0, kept * 4)]
  }
}

/** Parses, sorts and lays out. Throws AddressError. */
export function buildCidrTables(list: readonly string[]): CidrTables {
  const builder = new CidrTableBuilder()
  for (const text of list) builder.add(text)
  return builder.build()
}

function indexOf(starts: Uint32Array): Uint32Array {
  const index = new Uint32Array(65_537)
  let at = 0
  for (let high = 0; high < 65_536; high++) {
    while (at < starts.length && starts[at]! < high * 65_536) at++
    index[high] = at
  }
  index[65_536] = starts.length
  return index
}

function grown(words: Uint32Array): Uint32Array {
  const larger = new Uint32Array(words.length * 2)
  larger.set(words)
  return larger
}

/** One to three digits without a leading zero, or -1. */
function decimal(text: string, from: number, to: number): number {
  if (to - from < 1 || to - from > 3 || (to - from > 1 && text.charCodeAt(from) === 48)) return -1
  let value = 0
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

function compareAt(left: Uint32Array, at: number, right: Uint32Array, rightAt: number): number {
  for (let word = 0; word < 4; word++) {
    const difference = left[at + word]! - right[rightAt + word]!
    if (difference !== 0) return difference
  }
  return 0
}

function compareWords(left: readonly number[], right: readonly number[]): number {
  for (let word = 0; word < 4; word++) {
    const difference = left[word]! - right[word]!
    if (difference !== 0) return difference
  }
  return 0
}

/** The bits of word `word` that are right of the prefix. */
function hostMask(length: number, word: number): number {
  const left = length - word * 32
  if (left >= 32) return 0
  return left <= 0 ? 0xffffffff : 0xffffffff >>> left
}

function lastWord(prefix: Prefix, word: number): number {
  if (prefix.family === 4 && word > 0) return 0
  return (prefix.words[word]! | hostMask(prefix.length, word)) >>> 0
}

function parsePrefix(text: string): Prefix {
  const slash = text.indexOf("/")
  const address = parseLiteral(text, slash < 0 ? text.length : slash)
  const lengthText = slash < 0 ? "" : text.slice(slash + 1)
  const written = text.includes(":") ? 128 : 32
  const length = slash < 0 ? written : /^(?:0|[1-9]\d{0,2})$/.test(lengthText) ? Number(lengthText) : -1
  if (length < 0 || length > written) fail(text, `expected a length from 0 to ${written} after the slash`)
  const folded = written === 128 && address.family === 4
  if (folded && length < 96) fail(text, "a prefix of IPv4-mapped addresses has a length from 96 to 128")
  const prefix = { family: address.family, words: address.words, length: folded ? length - 96 : length }
  checkHostBits(text, prefix)
  return prefix
}

function parseLiteral(text: string, to: number = text.length): { family: 4 | 6; words: number[] } {
  const bits = parseIpv4(text, 0, to)
  if (bits >= 0) return { family: 4, words: [bits, 0, 0, 0] }
  if (!parseIpv6(text, 0, to)) fail(text, 'expected an address or a prefix such as "10.0.0.0/8" or "2001:db8::/32"')
  if (isMapped()) return { family: 4, words: [groupPair(6), 0, 0, 0] }
  return { family: 6, words: [groupPair(0), groupPair(2), groupPair(4), groupPair(6)] }
}

/** `10.1.2.3/8` may mean one address or the network: the operator shall say which. */
function checkHostBits(text: string, prefix: Prefix): void {
  const words = prefix.words.map((bits, word) => (prefix.family === 4 && word > 0 ? 0 : (bits & ~hostMask(prefix.length, word)) >>> 0))
  if (words.every((bits, word) => bits === prefix.words[word])) return
  const network = `${formatWords(prefix.family, words)}/${prefix.length}`
  fail(text, `bits right of the prefix are set: write "${network}" for the network or "${formatWords(prefix.family, prefix.words)}" for the address`)
}

function formatWords(family: 4 | 6, words: readonly number[]): string {
  if (family === 4) return formatIpv4(words[0]!)
  for (let word = 0; word < 4; word++) {
    ipv6Groups[word * 2] = words[word]! >>> 16
    ipv6Groups[word * 2 + 1] = words[word]! & 0xffff
  }
  return formatIpv6()
}

function fail(text: string, reason: string): never {
  throw new AddressError(`${JSON.stringify(text)} is not an address range: ${reason}`)
}
