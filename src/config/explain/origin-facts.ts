import { CidrSet, FAULT, type Fault, formatHostPort, ipFamily, privateRangeTable } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import { CONNECT_UDP } from "../../http/index.ts"
import type { OriginChecks } from "../../upstream/index.ts"
import type { ForwardConfig } from "../schema.ts"
import type { CheckFacts, OriginFacts } from "./explanation.ts"
import { shown } from "./shown.ts"

export interface OriginRulesOf {
  /** null = the listener takes no forward requests. */
  readonly forward: ForwardConfig | null
  readonly checks: OriginChecks | null
  /** A parent proxy resolves the name. */
  readonly isVia: boolean
}

/** The origin that a forward request names, with what its listener's rules say of it. */
export function originFacts(x: Exchange, { forward, checks, isVia }: OriginRulesOf): OriginFacts {
  const facts = { scheme: x.method === "CONNECT" ? "tunnel" : x.upgrade === CONNECT_UDP ? "udp tunnel" : x.scheme, host: shown(x.host), port: x.port }
  if (forward === null || checks === null) return { ...facts, privacy: forward?.privacy ?? "standard", checks: [] }
  const fault = checks.target(x)
  return {
    ...facts,
    privacy: forward.privacy,
    checks: [portCheck(x, forward, fault), isVia && fault === null ? viaCheck(x) : addressCheck(x, { forward, fault, checks })],
  }
}

function portCheck(x: Exchange, forward: ForwardConfig, fault: Fault | null): CheckFacts {
  const word = x.method === "CONNECT" ? "connectPorts" : x.upgrade === CONNECT_UDP ? "udpPorts" : "ports"
  const ports = forward[word]
  const list = `${word} (${ports.length === 0 ? "none" : ports.join(", ")})`
  if (fault === null || fault === FAULT.addressForbidden) return { what: "port", ok: true, says: `${x.port} is among ${list}` }
  if (fault === FAULT.portForbidden) return { what: "port", ok: false, says: `${x.port} is not among ${list}` }
  return { what: "port", ok: null, says: "not looked at any more" }
}

function viaCheck({ host }: Exchange): CheckFacts {
  if (ipFamily(host) !== 0) return { what: "address", ok: true, says: `${host} is open` }
  return { what: "address", ok: true, says: `${shown(host)} is for the parent proxy to resolve` }
}

interface AddressQuestion {
  readonly forward: ForwardConfig
  readonly fault: Fault | null
  readonly checks: OriginChecks
}

function addressCheck(x: Exchange, { forward, fault, checks }: AddressQuestion): CheckFacts {
  const { host, port } = x
  const says = (ok: boolean | null, text: string): CheckFacts => ({ what: "address", ok, says: text })
  if (fault === FAULT.loop) return says(false, `this proxy itself listens at ${formatHostPort(host, port)}`)
  if (fault === FAULT.badHost) return says(false, `${shown(host)} is neither a name nor an address in its plain form`)
  if (fault === FAULT.addressForbidden) return says(false, `${host} is ${rangeOf(host)}; ${policy(forward)}`)
  if (fault !== null) return says(null, "not looked at any more")
  if (forward.transparent?.dial === "address")
    return says(null, `the address that the client called is judged and dialled, or ${shown(host)} where it stands for a name; ${policy(forward)}`)
  if (ipFamily(host) === 0) return says(null, `each address that ${shown(host)} resolves to is judged before it is dialled; ${policy(forward)}`)
  const own = checks.address(host, port)
  return own === null ? says(true, `${host} is open; ${policy(forward)}`) : says(false, `${host} is refused (${own.code}); ${policy(forward)}`)
}

/** The closed range that holds an address. */
function rangeOf(address: string): string {
  const row = privateRangeTable.find(([cidr]) => CidrSet.parse([cidr]).has(address))
  return row === undefined ? "in a closed range" : `in ${row[0]} (${row[1]}, ${row[2]})`
}

function policy({ privateRanges }: ForwardConfig): string {
  if (privateRanges === "allow") return "privateRanges is allow: all are open but our own listeners"
  const closed = "privateRanges closes loopback, private and other special ranges"
  return privateRanges === "deny" ? closed : `${closed} but ${privateRanges.join(", ")}`
}
