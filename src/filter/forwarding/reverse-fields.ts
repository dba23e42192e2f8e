// HOT
import { FAULT, type CidrSet } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Step, type Verdict } from "../../flow/index.ts"
import { type Fields, NAME } from "../../http/index.ts"

export interface ReverseFieldsOptions {
  /** Our name in Via, unique to this process and listener; "" = no Via. */
  readonly via: string
  /** How the client reached us; from the connection, never from the request. */
  readonly scheme: "http" | "https"
  /** Proxies whose forwarding fields are kept and added to; null = nobody's. */
  readonly trusted: CidrSet | null
}

const SPOOFABLE_LOW =
  (1 << NAME.xForwardedFor) | (1 << NAME.xForwardedProto) | (1 << NAME.xForwardedHost) | (1 << NAME.forwarded) | (1 << NAME.xRealIp)

/** How often a request may pass this listener before it is a loop. */
const PASSES_MAX = 1

/**
 * Request fields towards our own servers: X-Forwarded-For, -Proto, -Host and Via are ours; what an untrusted client sent of them is dropped
 * (RFC 7239 section 8.1), what a trusted hop sent is kept and added to. A request that has been here before is refused (RFC 9110 section 7.6.3).
 */
export function reverseRequestStep(options: ReverseFieldsOptions): Step {
  const { via, trusted } = options
  const tail = `\r\nX-Forwarded-Proto: ${options.scheme}\r\n${via === "" ? "" : `Via: 1.1 ${via}\r\n`}`
  return function reverseRequest(x: Exchange): Verdict {
    const fields = x.request
    if ((fields.presentLow & SPOOFABLE_LOW) !== 0 || fields.has(NAME.xForwardedPort) || fields.has(NAME.xForwardedPrefix)) {
      if (trusted !== null && trusted.has(x.peerAddress)) {
        keepTrusted(x, options)
        return viaVerdict(x, via)
      }
      dropSpoofed(fields)
    }
    fields.extra += `X-Forwarded-For: ${x.clientAddress}${tail}X-Forwarded-Host: ${x.authority}\r\n`
    if (fields.has(NAME.via) && via !== "" && passes(fields, via) >= PASSES_MAX) {
      x.fault = FAULT.loop
      return FAULT_VERDICT
    }
    return NEXT
  }
}

function dropSpoofed(fields: Fields): void {
  fields.remove(NAME.xForwardedFor)
  fields.remove(NAME.xForwardedProto)
  fields.remove(NAME.xForwardedHost)
  fields.remove(NAME.forwarded)
  fields.remove(NAME.xRealIp)
  fields.remove(NAME.xForwardedPort)
  fields.remove(NAME.xForwardedPrefix)
}

function keepTrusted(x: Exchange, options: ReverseFieldsOptions): void {
  const fields = x.request
  const chain = fields.joined(NAME.xForwardedFor)
  fields.set(NAME.xForwardedFor, "X-Forwarded-For", chain === "" ? x.peerAddress : `${chain}, ${x.peerAddress}`)
  if (!fields.has(NAME.xForwardedProto)) fields.append("X-Forwarded-Proto", options.scheme)
  if (!fields.has(NAME.xForwardedHost)) fields.append("X-Forwarded-Host", x.authority)
  if (fields.has(NAME.forwarded)) {
    const hop = x.peerAddress.includes(":") ? `"[${x.peerAddress}]"` : x.peerAddress
    fields.set(NAME.forwarded, "Forwarded", `${fields.joined(NAME.forwarded)}, for=${hop};proto=${options.scheme}`)
  }
}

function viaVerdict(x: Exchange, via: string): Verdict {
  if (via === "") return NEXT
  if (x.request.has(NAME.via) && passes(x.request, via) >= PASSES_MAX) {
    x.fault = FAULT.loop
    return FAULT_VERDICT
  }
  x.request.append("Via", `1.1 ${via}`)
  return NEXT
}

/** How often our name stands in Via. */
export function passes(fields: Fields, via: string): number {
  const value = fields.joined(NAME.via)
  let count = 0
  for (let at = value.indexOf(via); at >= 0; at = value.indexOf(via, at + via.length)) count++
  return count
}

/** Response fields from our own servers: who they are stays inside. */
export function reverseResponseStep(options: ReverseFieldsOptions): Step {
  return function reverseResponse(x: Exchange): Verdict {
    const fields = x.response
    if (fields.has(NAME.server)) fields.remove(NAME.server)
    if (fields.has(NAME.xPoweredBy)) fields.remove(NAME.xPoweredBy)
    if (fields.has(NAME.location)) rewriteLocation(x, options.scheme)
    if (fields.has(NAME.setCookie)) rewriteCookies(x)
    return NEXT
  }
}

/** A redirect to the peer's own address becomes one to the address that the client used. */
function rewriteLocation(x: Exchange, scheme: string): void {
  const location = x.response.get(NAME.location)
  const match = /^https?:\/\/([^/?#]*)(.*)$/is.exec(location)
  if (match === null || x.authority === "") return
  const authority = match[1]!.toLowerCase()
  if (authority !== x.peerName && authority !== peerHost(x.peerName)) return
  x.response.set(NAME.location, "Location", `${scheme}://${x.authority}${match[2]!}`)
}

function peerHost(name: string): string {
  const colon = name.lastIndexOf(":")
  return colon < 0 ? name : name.substring(0, colon)
}

/** A cookie for the peer's own host would never come back: without Domain it is for the host that the client used (RFC 6265 section 5.3). */
function rewriteCookies(x: Exchange): void {
  const fields = x.response
  const inner = peerHost(x.peerName)
  for (let i = fields.indexOf(NAME.setCookie); i >= 0; i = fields.indexOf(NAME.setCookie, i + 1)) {
    const value = fields.valueAt(i)
    const match = /;[ \t]*domain[ \t]*=[ \t]*\.?([^; \t]*)[ \t]*(?=;|$)/i.exec(value)
    if (match === null || match[1]!.toLowerCase() !== inner) continue
    fields.removeAt(i)
    fields.append("Set-Cookie", value.substring(0, match.index) + value.substring(match.index + match[0].length))
  }
}
