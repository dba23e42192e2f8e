// HOT
const DOT = 46
const COLON = 58

/** Groups of the IPv6 address read last; good until the next call. One thread, no call in between: no copy. */
export const ipv6Groups: Uint16Array = new Uint16Array(8)

/**
 * The 32 bits of a dotted quad in `text` from `from` up to `to`, or -1. Four decimal numbers without leading zeros and nothing else: what
 * inet_aton also takes (`127.1`, `0x7f.0.0.1`, `0177.0.0.1`) is read differently by different programs (RFC 6943 section 3.1.1) and is no literal here.
 */
export function parseIpv4(text: string, from: number, to: number): number {
  if (to - from < 7 || to - from > 15) return -1
  let bits = 0
  let part = -1
  let dots = 0
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i)
    if (code === DOT) {
      if (part < 0 || dots === 3) return -1
      bits = bits * 256 + part
      part = -1
      dots++
    } else {
      const digit = code - 48
      if (digit < 0 || digit > 9 || part === 0) return -1
      part = part < 0 ? digit : part * 10 + digit
      if (part > 255) return -1
    }
  }
  return dots === 3 && part >= 0 ? bits * 256 + part : -1
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const letter = code | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}

/** Reads the IPv6 text (RFC 4291 section 2.2, no zone, no brackets) in `text` from `from` up to `to` into `ipv6Groups`; false = it is none. */
export function parseIpv6(text: string, from: number, to: number): boolean {
  if (to - from < 2 || to - from > 45) return false
  let at = from
  let count = 0
  let gap = -1
  if (text.charCodeAt(at) === COLON) {
    if (text.charCodeAt(at + 1) !== COLON) return false
    gap = 0
    at += 2
  }
  while (at < to) {
    const end = groupEnd(text, at, to)
    if (end < to && text.charCodeAt(end) === DOT) return endWithQuad(text, at, to, count, gap)
    if (count === 8 || !readGroup(text, at, end, count++)) return false
    if (end === to) return spread(count, gap)
    if (text.charCodeAt(end) !== COLON) return false
    at = end + 1
    if (at === to) return false
    if (text.charCodeAt(at) !== COLON) continue
    if (gap >= 0) return false
    gap = count
    at++
  }
  return spread(count, gap)
}

function groupEnd(text: string, from: number, to: number): number {
  let at = from
  while (at < to && hexDigit(text.charCodeAt(at)) >= 0) at++
  return at
}

function readGroup(text: string, from: number, to: number, index: number): boolean {
  if (to === from || to - from > 4) return false
  let value = 0
  for (let i = from; i < to; i++) value = value * 16 + hexDigit(text.charCodeAt(i))
  ipv6Groups[index] = value
  return true
}

function endWithQuad(text: string, from: number, to: number, count: number, gap: number): boolean {
  const bits = parseIpv4(text, from, to)
  if (bits < 0 || count > 6) return false
  ipv6Groups[count] = bits >>> 16
  ipv6Groups[count + 1] = bits & 0xffff
  return spread(count + 2, gap)
}

/** Moves what was read behind `::` to the end and fills the gap with zeros. */
function spread(count: number, gap: number): boolean {
  if (gap < 0) return count === 8
  // RFC 4291 lets :: stand for one group or more.
  if (count === 8) return false
  const behind = count - gap
  for (let i = 1; i <= behind; i++) ipv6Groups[8 - i] = ipv6Groups[count - i]!
  ipv6Groups.fill(0, gap, 8 - behind)
  return true
}

/** Whether `ipv6Groups` holds an IPv4-mapped address, ::ffff:0:0/96 (RFC 4291 section 2.5.5.2). */
export function isMapped(): boolean {
  const g = ipv6Groups
  return g[5] === 0xffff && (g[0]! | g[1]! | g[2]! | g[3]! | g[4]!) === 0
}

/** Two groups of `ipv6Groups` as 32 bits without sign. */
export function groupPair(index: number): number {
  return ipv6Groups[index]! * 65536 + ipv6Groups[index + 1]!
}

/** Dotted quad of 32 bits. */
export function formatIpv4(bits: number): string {
  return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`
}

/** `ipv6Groups` as RFC 5952 wants it: lower case, no leading zeros, `::` for the first of the longest runs of two zero groups or more. */
export function formatIpv6(): string {
  let bestAt = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && ipv6Groups[i + length] === 0) length++
    if (length > bestLength) {
      bestAt = i
      bestLength = length
    }
    i += length
  }
  let text = ""
  for (let i = 0; i < 8; i++) {
    if (i === bestAt) {
      text += "::"
      i += bestLength - 1
    } else {
      text += (i === 0 || text.endsWith(":") ? "" : ":") + ipv6Groups[i]!.toString(16)
    }
  }
  return text
}

/** 4 or 6 when `text` is an address literal (no brackets, no zone), else 0. */
export function ipFamily(text: string): 0 | 4 | 6 {
  if (parseIpv4(text, 0, text.length) >= 0) return 4
  return parseIpv6(text, 0, text.length) ? 6 : 0
}

/**
 * The one spelling of an address literal: a dotted quad, or IPv6 text after RFC 5952; an IPv4-mapped address becomes its dotted quad.
 * Brackets are taken off. null = not an address literal, so treat it as a name (see `isDeceptiveHost`).
 */
export function normaliseIp(text: string): string | null {
  const bracketed = text.charCodeAt(0) === 91 && text.charCodeAt(text.length - 1) === 93
  const from = bracketed ? 1 : 0
  const to = bracketed ? text.length - 1 : text.length
  if (!bracketed && parseIpv4(text, 0, to) >= 0) return text
  if (!parseIpv6(text, from, to)) return null
  return isMapped() ? formatIpv4(groupPair(6)) : formatIpv6()
}

/**
 * Whether `host` is no address literal but could be taken for one: its last label is a number, decimal or 0x… (`127.1`, `2130706433`, `0177.0.0.1`,
 * `1.2.3.4.`; the rule of the WHATWG URL standard, "ends in a number"), or it has octets that name preparation or decoding may turn into digits and dots
 * (percent signs, control octets, anything outside ASCII), or colons and brackets that make no IPv6 address. A forward proxy refuses these.
 */
export function isDeceptiveHost(host: string): boolean {
  if (normaliseIp(host) !== null) return false
  const { length } = host
  for (let i = 0; i < length; i++) {
    const code = host.charCodeAt(i)
    if (code <= 32 || code >= 127 || code === 37 || code === COLON || code === 91 || code === 93) return true
  }
  const end = length > 0 && host.charCodeAt(length - 1) === DOT ? length - 1 : length
  return isNumber(host, host.lastIndexOf(".", end - 1) + 1, end)
}

function isNumber(host: string, from: number, to: number): boolean {
  if (to <= from) return false
  let at = from
  while (at < to && host.charCodeAt(at) >= 48 && host.charCodeAt(at) <= 57) at++
  if (at === to) return true
  if (at !== from + 1 || host.charCodeAt(from) !== 48 || (host.charCodeAt(at) | 32) !== 120) return false
  return groupEnd(host, at + 1, to) === to
}

/** The address in `bytes` from `from`: 4 octets or 16, in network order. Folds as `normaliseIp` does. */
export function formatIp(bytes: Uint8Array, from: number, octets: 4 | 16): string {
  if (octets === 4) return `${bytes[from]}.${bytes[from + 1]}.${bytes[from + 2]}.${bytes[from + 3]}`
  for (let i = 0; i < 8; i++) ipv6Groups[i] = bytes[from + i * 2]! * 256 + bytes[from + i * 2 + 1]!
  return isMapped() ? formatIpv4(groupPair(6)) : formatIpv6()
}

/** Writes an address literal (no brackets, no zone) into `bytes` from `from`, in network order: 4 octets, 16, or 0 when it is none. Does not fold. */
export function writeIp(text: string, bytes: Uint8Array, from: number): 0 | 4 | 16 {
  const bits = parseIpv4(text, 0, text.length)
  if (bits >= 0) {
    for (let i = 0; i < 4; i++) bytes[from + i] = bits >>> (24 - i * 8)
    return 4
  }
  if (!parseIpv6(text, 0, text.length)) return 0
  for (let i = 0; i < 16; i++) bytes[from + i] = ipv6Groups[i >> 1]! >>> ((i & 1) === 0 ? 8 : 0)
  return 16
}
