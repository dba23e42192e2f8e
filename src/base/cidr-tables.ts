import { AddressError } from "./address.ts"
import { formatIpv4, formatIpv6, groupPair, ipv6Groups, isMapped, parseIpv4, parseIpv6 } from "./ip-text.ts"

/** A prefix as four words of 32 bits; an IPv4 one has its bits in the first word and `family` 4. */
interface Prefix {
  readonly family: 4 | 6
  readonly words: readonly number[]
  readonly length: number
}

/**
 * Disjoint prefixes, sorted, as first and last addresses:
 *
 *   starts4, ends4:  one word each          starts6, ends6:  four words each, the highest first
 */
export interface CidrTables {
  readonly starts4: Uint32Array
  readonly ends4: Uint32Array
  readonly starts6: Uint32Array
  readonly ends6: Uint32Array
}

/** Parses, sorts and lays out. Throws AddressError. */
export function buildCidrTables(list: readonly string[]): CidrTables {
  const prefixes = list.map(parsePrefix)
  const prefixes4 = outermost(prefixes.filter(prefix => prefix.family === 4))
  const prefixes6 = outermost(prefixes.filter(prefix => prefix.family === 6))
  return {
    starts4: Uint32Array.from(prefixes4, prefix => prefix.words[0]!),
    ends4: Uint32Array.from(prefixes4, prefix => lastWord(prefix, 0)),
    starts6: Uint32Array.from(prefixes6.flatMap(prefix => prefix.words)),
    ends6: Uint32Array.from(prefixes6.flatMap(prefix => [0, 1, 2, 3].map(word => lastWord(prefix, word)))),
  }
}

/** Sorted, without the prefixes that lie in another. */
function outermost(prefixes: Prefix[]): Prefix[] {
  prefixes.sort((left, right) => compareWords(left, right) || left.length - right.length)
  const kept: Prefix[] = []
  for (const prefix of prefixes) {
    const last = kept.at(-1)
    if (last === undefined || !holds(last, prefix)) kept.push(prefix)
  }
  return kept
}

function compareWords(left: Prefix, right: Prefix): number {
  for (let word = 0; word < 4; word++) {
    const difference = left.words[word]! - right.words[word]!
    if (difference !== 0) return difference
  }
  return 0
}

/** Whether `inner`, which does not begin before `outer`, lies in it. */
function holds(outer: Prefix, inner: Prefix): boolean {
  for (let word = 0; word < 4; word++) {
    const difference = inner.words[word]! - lastWord(outer, word)
    if (difference !== 0) return difference < 0
  }
  return true
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

function parseLiteral(text: string, to: number): { family: 4 | 6; words: number[] } {
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
