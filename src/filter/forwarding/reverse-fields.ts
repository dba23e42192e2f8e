// HOT
import { FAULT, type CidrSet } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Step, type Verdict } from "../../flow/index.ts"
import { type Fields, NAME } from "../../http/index.ts"
import { hasPassed } from "./via.ts"

export interface ReverseFieldsOptions {
  /** Our name in Via, unique to this process and listener; "" = no Via. */
  readonly via: string
  /** How the client reached us; from the connection, never from the request. */
  readonly scheme: "http" | "https"
  /** Proxies whose forwarding fields are kept and added to; null = nobody's. */
  readonly trusted: CidrSet | null
}

/** What we say ourselves, and credentials that are for proxies alone (RFC 9110 section 11.7.2). */
const SUSPECT_LOW =
  (1 << NAME.xForwardedFor) |
  (1 << NAME.xForwardedProto) |
  (1 << NAME.xForwardedHost) |
  (1 << NAME.forwarded) |
  (1 << NAME.xRealIp) |
  (1 << NAME.proxyAuthorization)

/**
 * Request fields towards our own servers: X-Forwarded-For, -Proto, -Host and Via are ours; what an untrusted client sent of them is dropped
 * (RFC 7239 section 8.1), what a trusted hop sent is kept and added to. A request that has been here before is refused (RFC 9110 section 7.6.3).
 */
export function reverseRequestStep(options: ReverseFieldsOptions): Step {
  const { via, trusted } = options
  const proto = `\r\nX-Forwarded-Proto: ${options.scheme}\r\n`
  const via11 = via === "" ? "" : `Via: 1.1 ${via}\r\n`
  const via10 = via === "" ? "" : `Via: 1.0 ${via}\r\n`
  const via20 = via === "" ? "" : `Via: 2.0 ${via}\r\n`
  const via30 = via === "" ? "" : `Via: 3.0 ${via}\r\n`
  // allow(closure): once a route
  return function reverseRequest(x: Exchange): Verdict {
    const fields = x.request
    if (via !== "" && fields.has(NAME.via) && hasPassed(fields, via)) {
      x.fault = FAULT.loop
      return FAULT_VERDICT
    }
    const viaLine = x.version === 11 ? via11 : x.version === 20 ? via20 : x.version === 30 ? via30 : via10
    if ((fields.presentLow & SUSPECT_LOW) !== 0 || fields.has(NAME.xForwardedPort) || fields.has(NAME.xForwardedPrefix)) {
      fields.remove(NAME.proxyAuthorization)
      if (trusted?.has(x.peerAddress)) {
        keepTrusted(x, options)
        fields.extra += viaLine
        return NEXT
      }
      dropSpoofed(fields)
    }
    if (x.authority === "") fields.extra += `X-Forwarded-For: ${x.clientAddress}${proto}${viaLine}`
    else fields.extra += `X-Forwarded-For: ${x.clientAddress}${proto}${viaLine}X-Forwarded-Host: ${x.authority}\r\n`
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
  if (!fields.has(NAME.xForwardedHost) && x.authority !== "") fields.append("X-Forwarded-Host", x.authority)
  if (fields.has(NAME.forwarded)) {
    const hop = x.peerAddress.includes(":") ? `"[${x.peerAddress}]"` : x.peerAddress
    fields.set(NAME.forwarded, "Forwarded", `${fields.joined(NAME.forwarded)}, for=${hop};proto=${options.scheme}`)
  }
}

/** Response fields from our own servers: who and where they are stays inside. */
export function reverseResponseStep(options: ReverseFieldsOptions): Step {
  // allow(closure): once a route
  return function reverseResponse(x: Exchange): Verdict {
    const fields = x.response
    if (fields.has(NAME.server)) fields.remove(NAME.server)
    if (fields.has(NAME.xPoweredBy)) fields.remove(NAME.xPoweredBy)
    // It names ports of a server that nobody is to see; ours is the listener's to say (RFC 7838).
    if (fields.has(NAME.altSvc)) fields.remove(NAME.altSvc)
    if (fields.has(NAME.location)) rewriteUrl(x, NAME.location, "Location", options)
    if (fields.has(NAME.contentLocation)) rewriteUrl(x, NAME.contentLocation, "Content-Location", options)
    if (fields.has(NAME.setCookie)) rewriteCookies(x)
    return NEXT
  }
}

/** A URL at the peer's own address becomes one at the address that the client used. */
function rewriteUrl(x: Exchange, id: number, name: string, options: ReverseFieldsOptions): void {
  const match = /^https?:\/\/([^/?#]*)(.*)$/is.exec(x.response.get(id))
  if (match === null) return
  const authority = match[1]!.toLowerCase()
  if (authority !== x.peerName && authority !== peerHost(x.peerName)) return
  const outer = clientBase(x, options)
  if (outer !== "") x.response.set(id, name, outer + match[2]!)
}

/** Scheme and authority as the client knows them, "" when it named none. A trusted hop knows better than our own connection. */
function clientBase(x: Exchange, options: ReverseFieldsOptions): string {
  let { scheme } = options
  let { authority } = x
  if (options.trusted?.has(x.peerAddress)) {
    const proto = x.request.get(NAME.xForwardedProto)
    const host = x.request.get(NAME.xForwardedHost)
    if (proto === "http" || proto === "https") scheme = proto
    if (/^[A-Za-z0-9._-]+(?::[0-9]{1,5})?$|^\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?$/.test(host)) authority = host
  }
  return authority === "" ? "" : `${scheme}://${authority}`
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
