import type { Clock } from "../../base/index.ts"
import { type Exchange, grpcStatusOf } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import type { Redactor } from "./redact.ts"
import { WallTime } from "./wall-time.ts"

/**
 * `plain` text is ours and printable ASCII. What `octets` holds came over the wire, one character an octet; `text` is Unicode. Both may hold
 * anything and are escaped by the format. "" = it does not apply.
 */
export interface TextFact {
  readonly kind: "plain" | "octets" | "text"
  readonly read: (x: Exchange) => string
}

/** A number; negative = it does not apply. */
export interface NumberFact {
  readonly kind: "number"
  readonly read: (x: Exchange) => number
}

/** What a format may say of an exchange. */
export type Fact = TextFact | NumberFact

const text = (read: (x: Exchange) => string): TextFact => ({ kind: "text", read })
const octets = (read: (x: Exchange) => string): TextFact => ({ kind: "octets", read })
const plain = (read: (x: Exchange) => string): TextFact => ({ kind: "plain", read })
const number = (read: (x: Exchange) => number): NumberFact => ({ kind: "number", read })

export type FactName = keyof ReturnType<typeof compileFacts>

/** The words of the log, in the order of the JSON line. */
export function compileFacts(redact: Redactor, clock: Clock) {
  const time = new WallTime(clock)
  return {
    time: plain(() => time.iso()),
    listener: text(x => x.listener?.name ?? ""),
    client: octets(x => x.clientAddress),
    user: text(x => x.user),
    groups: text(x => x.notes?.groups.join(",") ?? ""),
    claimedUser: octets(x => x.notes?.claimedUser ?? ""),
    rule: text(x => x.notes?.rule ?? ""),
    action: plain(x => x.notes?.action ?? ""),
    would: text(x => x.notes?.would ?? ""),
    reference: plain(x => x.notes?.reference ?? ""),
    category: text(x => x.notes?.category ?? ""),
    exit: text(x => x.notes?.exit ?? ""),
    tls: plain(x => x.notes?.tls ?? ""),
    tlsReason: text(x => x.notes?.tlsReason ?? ""),
    ja4: text(x => x.notes?.ja4 ?? ""),
    called: plain(x => x.notes?.called ?? ""),
    method: octets(x => x.method),
    scheme: plain(x => x.scheme),
    host: octets(x => x.host),
    target: octets(x => targetOf(x, redact)),
    version: plain(x => versionOf(x.version)),
    status: number(statusOf),
    grpcStatus: number(grpcStatusOf),
    cache: plain(x => x.cacheResult),
    cacheReason: plain(x => x.cacheReason),
    fault: plain(x => x.fault?.code ?? ""),
    route: text(x => x.plan?.route.name ?? ""),
    cluster: text(x => x.plan?.route.cluster ?? ""),
    peer: octets(x => x.peerName),
    attempts: number(x => (x.attempts === 0 ? -1 : x.attempts)),
    durationMs: number(x => span(x.startedAt, x.endedAt)),
    connectMs: number(x => span(x.startedAt, x.connectedAt)),
    waitMs: number(x => span(x.sentAt, x.headAt)),
    requestBytes: number(x => x.requestBytes),
    responseBytes: number(x => x.responseBytes),
    userAgent: octets(x => x.request.get(NAME.userAgent)),
    referer: octets(x => redact.url(x.request.get(NAME.referer))),
    requestId: octets(requestIdOf),
    // not in the JSON line
    port: number(x => x.port),
    authority: octets(x => x.authority),
    peerAddress: octets(x => x.peerAddress),
    timeLocal: plain(() => time.commonLog()),
    request: octets(x => requestLine(x, redact)),
  } satisfies Record<string, Fact>
}

/** What the client got; when it left before it got anything, the status that its fault stands for (499), and 0 when there is none. */
export function statusOf(x: Exchange): number {
  return x.status !== 0 ? x.status : (x.fault?.status ?? 0)
}

export function requestIdOf(x: Exchange): string {
  return x.request.find("x-request-id") ?? ""
}

/** Path and query, or the authority of CONNECT. */
export function targetOf(x: Exchange, redact: Redactor): string {
  const target = x.path === "" && x.method === "CONNECT" ? x.authority : x.path
  return x.query === "" ? target : target + redact.query(x.query)
}

/** The request line as it came: absolute-form for forward requests (RFC 9112 section 3.2). "" when no request could be read. */
function requestLine(x: Exchange, redact: Redactor): string {
  if (x.method === "") return ""
  const origin = x.forwardForm && x.path !== "" && x.path !== "*" ? `${x.scheme}://${x.authority}` : ""
  return `${x.method} ${origin}${targetOf(x, redact)} HTTP/${versionOf(x.version)}`
}

export function versionOf(version: number): string {
  return version === 11
    ? "1.1"
    : version === 10
      ? "1.0"
      : version === 20
        ? "2.0"
        : version === 30
          ? "3.0"
          : version === 5
            ? "socks5"
            : version === 4
              ? "socks4"
              : ""
}

/** Milliseconds with two decimals, -1 when either end was not reached. */
export function span(from: number, to: number): number {
  if (from === 0 || to === 0) return -1
  return to <= from ? 0 : Math.round((to - from) * 100) / 100
}
