import { ipFamily, writeIp } from "../../base/index.ts"

/** Where a connection through a proxy leads. */
export interface SocksTarget {
  /** Name, or address literal without brackets. */
  readonly host: string
  readonly port: number
}

/** Who we are there; `user` "" = nobody. */
export interface SocksLogin {
  readonly user: string
  readonly password: string
}

/** No answer of either version is longer: version, code, reserved, type, length and name, port. */
export const SOCKS_ANSWER_MAX = 4 + 1 + 255 + 2

/** RFC 1928 section 3: without a log-in, and with one where there is one. */
export function greeting(login: SocksLogin): Uint8Array {
  return login.user === "" ? Uint8Array.of(5, 1, 0) : Uint8Array.of(5, 2, 0, 2)
}

/** RFC 1929 section 2. */
export function passwordMessage({ user, password }: SocksLogin): Uint8Array {
  const name = Buffer.from(user)
  const secret = Buffer.from(password)
  return Buffer.concat([Uint8Array.of(1, name.length), name, Uint8Array.of(secret.length), secret])
}

/** CONNECT (RFC 1928 section 4). Names go as names: the parent resolves them. null = what cannot be said. */
export function connectMessage({ host, port }: SocksTarget): Uint8Array | null {
  const address = addressOf(host)
  if (address !== null) return Buffer.concat([Uint8Array.of(5, 1, 0, address.length === 4 ? 1 : 4), address, portOf(port)])
  const name = Buffer.from(host)
  if (name.length === 0 || name.length > 255) return null
  return Buffer.concat([Uint8Array.of(5, 1, 0, 3, name.length), name, portOf(port)])
}

/** SOCKS 4a: an address that cannot be, and the name behind the user. IPv4 literals go as SOCKS 4 has them; IPv6 has no place. null = what cannot be said. */
export function connectMessage4({ host, port }: SocksTarget, user: string): Uint8Array | null {
  const address = addressOf(host)
  const front = [Uint8Array.of(4, 1), portOf(port)]
  const end = Uint8Array.of(0)
  if (address !== null) return address.length === 4 ? Buffer.concat([...front, address, Buffer.from(user), end]) : null
  const name = Buffer.from(host)
  if (name.length === 0 || name.length > 255 || name.includes(0)) return null
  return Buffer.concat([...front, Uint8Array.of(0, 0, 0, 1), Buffer.from(user), end, name, end])
}

/** Octets of an answer to CONNECT, as far as the first ones tell; 0 = one cannot say yet, -1 = it is none. */
export function answerLength(bytes: Uint8Array): number {
  if (bytes.length > 0 && bytes[0] !== 5) return -1
  if (bytes.length > 2 && bytes[2] !== 0) return -1
  if (bytes.length < 5) return 0
  const kind = bytes[3]
  if (kind === 1) return 10
  if (kind === 4) return 22
  return kind === 3 ? 7 + bytes[4]! : -1
}

/** What a code says (RFC 1928 section 6). */
export function refusalText(code: number): string {
  return refusals[code] ?? `answer ${code}`
}

const refusals: Readonly<Record<number, string>> = {
  1: "general failure",
  2: "not allowed by its rules",
  3: "network unreachable",
  4: "host unreachable",
  5: "connection refused",
  6: "TTL expired",
  7: "it knows no CONNECT",
  8: "it knows no addresses of this kind",
  91: "rejected or failed",
  92: "it cannot ask who we are",
  93: "we are not who we say",
}

function addressOf(host: string): Uint8Array | null {
  if (ipFamily(host) === 0) return null
  const bytes = new Uint8Array(16)
  return bytes.slice(0, writeIp(host, bytes, 0))
}

function portOf(port: number): Uint8Array {
  return Uint8Array.of(port >>> 8, port & 255)
}
