// HOT
import { FAULT, type Fault, ipFamily, isDeceptiveHost, type PortSet } from "../../base/index.ts"
import type { OriginRules } from "./origin-rules.ts"

/** How a request names its target: in its URL, by CONNECT, or for a tunnel of datagrams (RFC 9298). */
export type TargetKind = "absolute" | "connect" | "udp"

const NAME_OCTETS_MAX = 253
const LABEL_OCTETS_MAX = 63

/**
 * Judges what a forward request names, before anything is resolved: how the host is spelled, the port, and the address when it is one.
 * `host` is in the form of `x.host`; each kind of request has a list of ports of its own. null = nothing against it; the
 * addresses that a name resolves to are then for `checkOrigin`.
 */
export function checkTarget(host: string, port: number, kind: TargetKind, rules: OriginRules): Fault | null {
  if (!(port >= 1 && port <= 65535)) return FAULT.badTarget
  const isAddress = ipFamily(host) !== 0
  if (!isAddress && !isName(host)) return FAULT.badHost
  // Our own ports come first: whoever asks for them has a loop in the configuration, which no other list of ports would mend.
  if (isAddress && isOwn(host, port, rules)) return FAULT.loop
  if (!portsOf(kind, rules).has(port)) return FAULT.portForbidden
  return isAddress && isClosed(host, rules) ? FAULT.addressForbidden : null
}

function portsOf(kind: TargetKind, rules: OriginRules): PortSet {
  return kind === "connect" ? rules.connectPorts : kind === "udp" ? rules.udpPorts : rules.ports
}

/**
 * Judges the address that is about to be dialled, one call for each: a name may resolve to another address than a moment ago (DNS
 * rebinding). null = go on. Text that is no address literal is refused, because nothing is known of it.
 */
export function checkOrigin(address: string, port: number, rules: OriginRules): Fault | null {
  if (isOwn(address, port, rules)) return FAULT.loop
  return isClosed(address, rules) || !isLiteral(address) ? FAULT.addressForbidden : null
}

function isOwn(address: string, port: number, rules: OriginRules): boolean {
  const addresses = rules.own.get(port)
  return addresses !== undefined && isLiteral(address) && addresses.has(address)
}

function isClosed(address: string, rules: OriginRules): boolean {
  if (rules.closed === null || !rules.closed.has(address)) return false
  return rules.opened === null || !rules.opened.has(address)
}

/** Resolvers may name the interface of a link-local address (RFC 4007 section 11). */
function isLiteral(address: string): boolean {
  const zone = address.indexOf("%")
  return ipFamily(zone < 0 ? address : address.substring(0, zone)) !== 0
}

/**
 * A DNS name of letters, digits, hyphens and underscores that no program reads as an address: `127.1`, `0x7f000001` and the like are
 * addresses for inet_aton (RFC 6943 section 3.1.1), and would walk around every list of addresses.
 */
function isName(host: string): boolean {
  const { length } = host
  if (length === 0 || length > NAME_OCTETS_MAX || isDeceptiveHost(host)) return false
  let label = 0
  for (let i = 0; i < length; i++) {
    const code = host.charCodeAt(i)
    if (code === 0x2e) {
      if (label === 0) return false
      label = 0
    } else if (++label > LABEL_OCTETS_MAX || !isNameOctet(code)) return false
  }
  return label > 0
}

function isNameOctet(code: number): boolean {
  const lower = code | 0x20
  return (lower >= 0x61 && lower <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x5f
}
