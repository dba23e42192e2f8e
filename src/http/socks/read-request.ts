// HOT
import { formatIp, ipFamily } from "../../base/index.ts"

/** What comes is not whole yet. */
export const MORE = 0
/** What comes is not SOCKS; `asked.reply` says how to answer that. */
export const BAD = -1

export const CONNECT = 1
export const BIND = 2
export const ASSOCIATE = 3

/** Octets of a SOCKS 4 user id or name, without its NUL; SOCKS 5 has one octet for such lengths. */
const TEXT_OCTETS_MAX = 255
const IPV4 = 1
const NAME = 3
const IPV6 = 4

// reply codes of SOCKS 5 (RFC 1928 section 6)
const GENERAL = 1
const NO_SUCH_TYPE = 8

/** What the last request said; read before the next call. */
export const asked = {
  /** CONNECT, BIND, ASSOCIATE, or whatever else it was. */
  command: 0,
  /** Without brackets, as it came. */
  host: "",
  /** "host:port" as it would stand in HTTP, an IPv6 address in brackets. What a name is made of is for others to judge. */
  authority: "",
  port: 0,
  /** Who a SOCKS 4 client says that it is. */
  claimed: "",
  /** Why it is BAD, as a reply code of SOCKS 5. */
  reply: 0,
}

function bad(reply: number): number {
  asked.reply = reply
  return BAD
}

/**
 * Reads a SOCKS 5 request (RFC 1928 section 4) that begins at `at`; answers how many octets it has, MORE, or BAD as soon as it cannot be one any more.
 *
 *     VER 5 | CMD | RSV 0 | ATYP | DST.ADDR: 4, 16, or a length and so many octets | DST.PORT
 */
export function readRequest5(octets: Buffer, at: number): number {
  asked.command = 0
  asked.host = ""
  asked.authority = ""
  asked.port = 0
  asked.claimed = ""
  const there = octets.length - at
  if (there > 0 && octets[at] !== 5) return bad(GENERAL)
  if (there > 1) asked.command = octets[at + 1]!
  if (there > 2 && octets[at + 2] !== 0) return bad(GENERAL)
  if (there < 5) return there === 4 && addressOctets(octets, at + 3) < 0 ? bad(NO_SUCH_TYPE) : MORE
  const length = addressOctets(octets, at + 3)
  if (length < 0) return bad(NO_SUCH_TYPE)
  const end = at + 4 + length
  if (octets.length < end + 2) return MORE
  asked.port = octets.readUInt16BE(end)
  named(hostAt(octets, at + 3, end))
  return end + 2 - at
}

/** Octets of the address behind its type, a name's length among them; -1 = there is no such type. */
export function addressOctets(octets: Buffer, at: number): number {
  const type = octets[at]
  return type === IPV4 ? 4 : type === IPV6 ? 16 : type === NAME ? 1 + (octets[at + 1] ?? 0) : -1
}

/** The host whose type stands at `at` and whose octets end at `end`; IPv4 may come as IPv6, and is told as what it is. */
export function hostAt(octets: Buffer, at: number, end: number): string {
  const type = octets[at]
  if (type === NAME) return octets.latin1Slice(at + 2, end)
  return formatIp(octets, at + 1, type === IPV4 ? 4 : 16)
}

/** Some clients have one way to say a host, whatever it is. */
function named(host: string): void {
  asked.host = host
  asked.authority = `${ipFamily(host) === 6 ? `[${host}]` : host}:${asked.port}`
}

/**
 * The same of SOCKS 4, and of 4a, where a name stands behind an address that cannot be one (0.0.0.x):
 *
 *     VN 4 | CD | DSTPORT | DSTIP | USERID … NUL | [ name … NUL ]
 */
export function readRequest4(octets: Buffer, at: number): number {
  asked.command = 0
  asked.host = ""
  asked.authority = ""
  asked.port = 0
  asked.claimed = ""
  const there = octets.length - at
  if (there > 0 && octets[at] !== 4) return bad(GENERAL)
  if (there > 1) asked.command = octets[at + 1]!
  if (there < 9) return MORE
  const userEnd = textEnd(octets, at + 8)
  if (userEnd <= 0) return userEnd === MORE ? MORE : bad(GENERAL)
  asked.port = octets.readUInt16BE(at + 2)
  asked.claimed = octets.latin1Slice(at + 8, userEnd)
  if (octets[at + 4] !== 0 || octets[at + 5] !== 0 || octets[at + 6] !== 0 || octets[at + 7] === 0) {
    named(formatIp(octets, at + 4, 4))
    return userEnd + 1 - at
  }
  const nameEnd = textEnd(octets, userEnd + 1)
  if (nameEnd <= 0) return nameEnd === MORE ? MORE : bad(GENERAL)
  named(octets.latin1Slice(userEnd + 1, nameEnd))
  return nameEnd + 1 - at
}

/** Where the NUL behind a text stands; MORE, or BAD when it is longer than it may be. */
function textEnd(octets: Buffer, at: number): number {
  const end = octets.indexOf(0, at)
  if (end < 0) return octets.length - at > TEXT_OCTETS_MAX ? BAD : MORE
  return end - at > TEXT_OCTETS_MAX ? BAD : end
}
