// HOT
import type { CidrSet } from "../../base/index.ts"
import { normaliseIp } from "../../base/index.ts"
import { type Exchange, NEXT, type Step, type Verdict } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"

const HOPS_MAX = 32

/**
 * Identify: the client is the first address from the right that is not one of our own proxies (RFC 7239 section 8.1).
 * An entry that is no address stops the walk: whoever wrote it could have written anything further left.
 */
export function trustedHopsStep(trusted: CidrSet): Step {
  // allow(closure): once a listener
  return function identifyHops(x: Exchange): Verdict {
    if (!trusted.has(x.peerAddress)) return NEXT
    const list = x.request.has(NAME.xForwardedFor) ? x.request.joined(NAME.xForwardedFor) : forwardedFor(x.request.joined(NAME.forwarded))
    x.clientAddress = clientOf(list, trusted, x.peerAddress)
    return NEXT
  }
}

function clientOf(list: string, trusted: CidrSet, peer: string): string {
  let client = peer
  let end = list.length
  for (let hop = 0; hop < HOPS_MAX && end > 0; hop++) {
    const comma = list.lastIndexOf(",", end - 1)
    const address = plainAddress(list.substring(comma + 1, end).trim())
    if (address === "") return client
    client = address
    if (!trusted.has(address)) return client
    end = comma
  }
  return client
}

/** `192.0.2.1:80`, `[2001:db8::1]:99`, `"[2001:db8::1]"` to the address alone; "" when it is none. */
function plainAddress(entry: string): string {
  let text = entry
  if (text.charCodeAt(0) === 34 && text.endsWith('"')) text = text.substring(1, text.length - 1)
  if (text.charCodeAt(0) === 91) {
    const close = text.indexOf("]")
    return close < 0 ? "" : (normaliseIp(text.substring(1, close)) ?? "")
  }
  const colon = text.indexOf(":")
  // One colon is a port; several are an IPv6 address without brackets.
  if (colon >= 0 && text.indexOf(":", colon + 1) < 0) text = text.substring(0, colon)
  return normaliseIp(text) ?? ""
}

/** The `for` parameters of Forwarded (RFC 7239 section 4), in the form of X-Forwarded-For: of the last elements, since anybody can write any number of first ones. */
function forwardedFor(value: string): string {
  let out = ""
  for (const element of value.split(",").slice(-HOPS_MAX)) {
    const match = /(?:^|;)[ \t]*for=("[^"]*"|[^;," \t]*)/i.exec(element)
    const hop = match === null ? "unknown" : match[1]!
    out = out === "" ? hop : `${out},${hop}`
  }
  return value === "" ? "" : out
}
