import { domainToASCII } from "node:url"
import { isDeceptiveHost, normaliseIp } from "../../../base/index.ts"

export const HOST_ANY = 0
/** The host itself. */
export const HOST_EXACT = 1
/** One or more labels below the host. */
export const HOST_BELOW = 2

export interface HostPattern {
  readonly kind: 0 | 1 | 2
  /** In the form of `x.host`; "" for HOST_ANY. */
  readonly host: string
}

/** Reads `a.test`, `*.a.test`, `*`, `[::1]`. Anything that `hostTrouble` finds nothing wrong with. */
export function parseHost(text: string): HostPattern {
  if (text === "*") return { kind: HOST_ANY, host: "" }
  const below = text.startsWith("*.")
  return { kind: below ? HOST_BELOW : HOST_EXACT, host: hostForm(below ? text.slice(2) : text) }
}

/** Lower case, no brackets, one trailing dot taken off (RFC 9110 section 4.2.3), IDN as A-labels (RFC 5891): what the codec makes of Host. */
function hostForm(text: string): string {
  const literal = normaliseIp(text)
  if (literal !== null) return literal
  const name = /[^\0-\x7f]/.test(text) ? domainToASCII(text) : text.toLowerCase()
  return name.endsWith(".") ? name.slice(0, -1) : name
}

const expected = 'expected a host such as "a.test", "*.a.test" for every name below it, or "*"'

/** What is wrong with a host in the config, "" when nothing is. */
export function hostTrouble(text: string): string {
  if (text === "") return `the host is empty; ${expected}`
  if (text === "*") return ""
  if (/[/@?#\s\\]/.test(text)) return `"${text}" is not a host; ${expected}, without scheme, user and path`
  const below = text.startsWith("*.")
  if (!below && normaliseIp(text) !== null) return ""
  if (/:\d*$/.test(text)) return `"${text}" has a port; ${expected} (the listener stands for the port)`
  if (text.includes("*", below ? 1 : 0)) return `"${text}" has a star that is not the whole first label; ${expected}`
  const { host } = parseHost(text)
  if (normaliseIp(host) !== null || isDeceptiveHost(host)) return `"${text}" is neither a name nor an address in its usual spelling; ${expected}`
  if (host.length > 253) return `"${text}" is longer than 253 octets; ${expected}`
  for (const label of host.split(".")) {
    if (!/^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))
      return `"${text}" has the label "${label}", which no host name can have; ${expected}`
  }
  return ""
}

export function hostMatches(pattern: HostPattern, host: string): boolean {
  if (pattern.kind === HOST_EXACT) return host === pattern.host
  if (pattern.kind === HOST_ANY) return true
  const dot = host.length - pattern.host.length - 1
  return dot > 0 && host.charCodeAt(dot) === 0x2e && host.endsWith(pattern.host)
}
