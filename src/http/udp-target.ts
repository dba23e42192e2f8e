import { type Fault, FAULT, ipFamily } from "../base/index.ts"
import { listHas } from "./grammar.ts"
import type { Message } from "./message.ts"
import { readHost } from "./target.ts"

/** The upgrade token, and the `:protocol`, of a UDP tunnel (RFC 9298 section 8.1). */
export const CONNECT_UDP = "connect-udp"

/** The template that clients know a proxy by when they know nothing else of it (RFC 9298 section 2); `{target_host}/{target_port}/` stands behind it. */
const PATH = /^\/\.well-known\/masque\/udp\/([^/]+)\/([^/]+)\/$/
const PORT = /^[1-9][0-9]{0,4}$/
const ENCODED = /%([0-9A-Fa-f]{2})/g

/** The client asks for a UDP tunnel, alone or among others. */
export function asksForUdp(upgrade: string): boolean {
  return upgrade === CONNECT_UDP || listHas(upgrade, CONNECT_UDP)
}

/**
 * Reads whom a UDP tunnel is for, and makes the request one that names it: host, port and authority are the target's from now on, so that every rule about hosts
 * sees it, and no longer the proxy's own. The path stays as it came. Faults with status 400: another path than the template's, a query, a host or port that is none.
 */
export function readUdpTarget(m: Message): Fault | null {
  const found = m.method === "GET" && m.query === "" ? PATH.exec(m.path) : null
  const host = found === null ? null : decoded(found[1]!)
  const port = found === null ? null : decoded(found[2]!)
  if (host === null || port === null || !PORT.test(port) || Number(port) > 65_535) return FAULT.badTarget
  m.upgrade = CONNECT_UDP
  m.forwardForm = true
  m.authority = `${ipFamily(host) === 6 ? `[${host}]` : host}:${port}`
  // Brackets are not part of the template's form, and a zone is nobody's but its own machine's (section 3).
  return /[[\]%]/.test(host) ? FAULT.badHost : readHost(m)
}

/** Octets of ASCII; null = there are others, or a percent sign that encodes nothing. */
function decoded(text: string): string | null {
  const plain = text.replace(ENCODED, (_whole, octet: string) => String.fromCharCode(Number.parseInt(octet, 16)))
  const bare = text.replace(ENCODED, "")
  return bare.includes("%") || /[^\x21-\x7e]/.test(plain) ? null : plain
}
