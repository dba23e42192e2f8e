import { type Fault, FAULT } from "../base/index.ts"
import { NAME } from "../http/index.ts"
import type { Exchange } from "./exchange.ts"
import { lineValue } from "./line-value.ts"

/** Statuses that gRPC gives a call, as far as this proxy says them itself. */
const UNKNOWN = 2
const DEADLINE_EXCEEDED = 4
const PERMISSION_DENIED = 7
const RESOURCE_EXHAUSTED = 8
const UNIMPLEMENTED = 12
const INTERNAL = 13
const UNAVAILABLE = 14
const UNAUTHENTICATED = 16

/** "HTTP to gRPC Status Code Mapping", and what is too large. */
const byStatus: Readonly<Record<number, number>> = {
  400: INTERNAL,
  401: UNAUTHENTICATED,
  403: PERMISSION_DENIED,
  404: UNIMPLEMENTED,
  413: RESOURCE_EXHAUSTED,
  429: UNAVAILABLE,
  431: RESOURCE_EXHAUSTED,
  502: UNAVAILABLE,
  503: UNAVAILABLE,
  504: UNAVAILABLE,
}

/** The status of a call that ended with this fault. */
export function grpcStatusOfFault(fault: Fault): number {
  if (fault === FAULT.requestTimeout || fault === FAULT.headTimeoutUpstream) return DEADLINE_EXCEEDED
  return byStatus[fault.status] ?? UNKNOWN
}

const TYPE = /^application\/grpc(-web(?:-text)?)?(\+[a-z0-9.-]{1,32})?[ \t]*(?:;|$)/i

/** The media type that a gRPC client reads an answer without a body as; "" when the request is no gRPC call. gRPC-Web asks for its own. */
export function grpcReplyType(x: Exchange): string {
  const came = x.request.get(NAME.contentType)
  const match = TYPE.exec(came !== "" || x.request.extra === "" ? came : lineValue(x.request.extra, "content-type"))
  if (match === null) return ""
  const web = match[1]
  return web === undefined ? "application/grpc" : `application/grpc${web}${match[2] ?? ""}`.toLowerCase()
}

/** The lines of an answer that is all trailers (gRPC over HTTP/2, "Trailers-Only"): the status is in the head and nothing follows it. */
export function grpcReplyLines(type: string, fault: Fault): string {
  return `Content-Type: ${type}\r\ngrpc-status: ${grpcStatusOfFault(fault)}\r\ngrpc-message: ${percentEncoded(`${fault.code}: ${fault.description}`)}\r\n`
}

/** Octets beyond printable ASCII, and the percent sign, as `%XX` (gRPC over HTTP/2, "Status-Message"). */
export function percentEncoded(text: string): string {
  if (/^[ -$&-~]*$/.test(text)) return text
  let out = ""
  for (const octet of Buffer.from(text, "utf8")) {
    const plain = octet >= 0x20 && octet <= 0x7e && octet !== 0x25
    out += plain ? String.fromCharCode(octet) : `%${octet.toString(16).toUpperCase().padStart(2, "0")}`
  }
  return out
}

/** The status that a call ended with, the upstream's or ours, for the log; -1 when there is none. Cheap for whatever is no call. */
export function grpcStatusOf(x: Exchange): number {
  if (x.method !== "POST") return -1
  let value = x.pump.responseTrailers === "" ? "" : lineValue(x.pump.responseTrailers, "grpc-status")
  if (value === "" && x.responseBytes === 0) value = x.response.find("grpc-status") ?? lineValue(x.response.extra, "grpc-status")
  return /^[0-9]{1,3}$/.test(value) ? Number(value) : -1
}
