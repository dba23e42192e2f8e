// HOT
import { type Fault, FAULT, log } from "../base/index.ts"
import type { Exchange } from "../flow/index.ts"
import { type AttemptTimes, CONNECT_UDP } from "../http/index.ts"
import type { DialFailure } from "../net/index.ts"
import type { OriginUpgrade } from "./origins.ts"
import type { Peer } from "./peer.ts"
import type { Priority } from "./queue/priority.ts"

/** What a route says about its attempts. */
export interface AttemptRules {
  readonly times: AttemptTimes
  readonly connectMs: number
  /** Attempts altogether. */
  readonly attemptsMax: number
  /** Statuses of the peer that are tried again; null = none. */
  readonly retryStatus: ReadonlySet<number> | null
  /** Octets of a request body that are kept for another attempt. */
  readonly keepBytesMax: number
  /** How the request line names the target: origin-form to servers, absolute-form to parent proxies. */
  readonly absolute: boolean
  /** Protocols that may be upgraded to, lower case. */
  readonly upgrades: ReadonlySet<string>
  /** How important the requests are, for clusters that shed or queue. Default: normal. */
  readonly priority?: Priority | null
  /** The one peer that is asked, whatever the balancer says; its outcome is somebody else's to report. Default: the cluster chooses. */
  readonly only?: Peer
  /** How origins are spoken to through parents. Default: as the client asks, in HTTP/1.1. */
  readonly upgrade?: OriginUpgrade | null
}

export function dialFault(kind: DialFailure): Fault {
  switch (kind) {
    case "refused":
      return FAULT.connectRefused
    case "timeout":
      return FAULT.connectTimeout
    case "tls":
      return FAULT.tlsFailed
    case "denied":
      return FAULT.parentRefused
    case "login":
      return FAULT.parentAuth
    case "garbled":
      return FAULT.parentGarbled
    default:
      return FAULT.connectFailed
  }
}

/** What a client of a forward proxy is told of a handshake with its origin, by the words that the runtime and our own check have for it. */
export function tlsFault(detail: string): Fault {
  if (/CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|certificate has expired|not yet valid/i.test(detail)) return FAULT.certificateExpired
  if (/^the certificate is for |ALTNAME_INVALID/.test(detail)) return FAULT.certificateName
  if (/SELF_SIGNED|self[- ]signed/i.test(detail)) return FAULT.certificateSelfSigned
  if (/UNABLE_TO_|CERT_UNTRUSTED|INVALID_CA|unable to (?:get|verify)/i.test(detail)) return FAULT.certificateUntrusted
  if (/CERT_REVOKED|has been revoked/i.test(detail)) return FAULT.certificateRevoked
  if (/CERTIFICATE_REQUIRED/.test(detail)) return FAULT.certificateWanted
  if (/ALERT_HANDSHAKE_FAILURE/.test(detail)) return FAULT.tlsRejected
  return FAULT.tlsFailed
}

/** A limit of ours, a connection that had aged, a status that is asked for again, an origin that a parent cannot reach. */
export function saysNothingOfPeer(fault: Fault): boolean {
  if (fault === FAULT.reusedClosed || fault === FAULT.poolExhausted || fault === FAULT.retryStatus || fault === FAULT.parentRefused) return true
  // Of the origin behind a parent.
  return fault.code.startsWith("upstream.certificate-") || fault === FAULT.tlsRejected
}

/** The same where a request goes through a parent: what came out of an opened tunnel meets its origin there, whose certificate its client is told about. */
export function dialFaultOf({ notes }: Exchange, kind: DialFailure, detail: string): Fault {
  return kind === "tls" && notes !== null && notes.inside ? tlsFault(detail) : dialFault(kind)
}

/** Only the operator learns what is wrong with a certificate; the client gets the fault. `of`: cluster, or host of an origin. */
export function tellTlsFailure(of: string, peer: string, reason: string): void {
  log.warn("upstream", "the TLS handshake with a peer failed", { of, peer, reason })
}

/** RFC 9110 section 9.2.2. */
export function isIdempotent(method: string): boolean {
  return method === "GET" || method === "HEAD" || method === "PUT" || method === "DELETE" || method === "OPTIONS" || method === "TRACE"
}

/** The request can be sent once more, and doing so is safe (RFC 9110 section 9.2.2). */
export function mayRepeat({ pump, method }: Exchange): boolean {
  return pump.replayable && !pump.continued && isIdempotent(method)
}

/** Whether this fault lets the same request be sent once more. A CONNECT that nobody has answered has carried nothing yet. */
export function mayAskAgain(fault: Fault, method: string): boolean {
  if (fault.retry === "never" || fault.retry === "always") return fault.retry === "always"
  return isIdempotent(method) || (method === "CONNECT" && (fault === FAULT.reusedClosed || fault === FAULT.closedEarly))
}

/** Whether the fault of an attempt at an origin, which has no other peers, allows one over another connection. */
export function mayAskOrigin(x: Exchange, rules: AttemptRules): boolean {
  const fault = x.fault!
  const unread = fault === FAULT.streamRefused
  if (fault.retry === "never" || (fault.retry === "always" && !unread)) return false
  if (!x.pump.replayable || x.pump.continued || x.attempts >= rules.attemptsMax) return false
  return unread || isIdempotent(x.method)
}

/** What goes on the request line. */
export function requestTarget(x: Exchange, absolute: boolean): string {
  if (x.method === "CONNECT") return x.authority
  // Asked of the parent itself, whose name is in its certificate and in nothing that is compared (RFC 9298 section 3).
  if (absolute && x.upgrade === CONNECT_UDP) return `${x.scheme}://${x.peerName}${x.path}`
  if (!absolute) return x.query === "" ? x.path : x.path + x.query
  return `${x.scheme}://${x.authority}${x.path === "*" ? "" : x.path}${x.query}`
}

/** Of what the client offers only what the route lets through stays (RFC 9110 section 7.8); h2c would carry requests past every rule. */
export function allowedUpgrades(offered: string, allowed: ReadonlySet<string>): string {
  let out = ""
  for (const part of offered.split(",")) {
    const protocol = part.trim()
    if (protocol !== "" && allowed.has(protocol)) out = out === "" ? protocol : `${out}, ${protocol}`
  }
  return out
}

/** HTTP/1.0 needs no Host, but we speak 1.1 from here on. A Unix socket has no name that it could say. */
export function nameHost(x: Exchange, peer: { readonly path: string; readonly name: string }): void {
  // A filter, or an earlier attempt, has said it.
  if (/(?:^|\n)host:/i.test(x.request.extra)) return
  x.request.append("Host", peer.path === "" ? peer.name : "localhost")
}

/** Given back by a peer that serves others on the same connection: it was about to close it, or had enough to do. Says nothing of either. */
export function justMoved(fault: Fault, { reused }: Exchange): boolean {
  return fault === FAULT.streamRefused && reused
}
