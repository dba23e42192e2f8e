// HOT
import { type Fault, FAULT } from "../../base/index.ts"
import type { Fields } from "../fields.ts"
import { BODY_CHUNKED, BODY_CLOSE, BODY_LENGTH, BODY_NONE, BODY_TUNNEL, type BodyKind } from "../message.ts"
import { NAME } from "../names.ts"
import { contentLength } from "../content-length.ts"
import { isWord } from "../grammar.ts"

/** Out-parameters of the functions below; read them before the next call. */
export const framing: { kind: BodyKind; length: number } = { kind: BODY_NONE, length: 0 }

const CODINGS = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+)*$/

/** 0 = no Transfer-Encoding, 1 = exactly `chunked`, -1 = a coding that we do not know, alone or before chunked, -2 = malformed. */
export function transferCoding(fields: Fields): number {
  if (!fields.has(NAME.transferEncoding)) return 0
  const text = fields.joined(NAME.transferEncoding)
  if (isWord(text, 0, text.length, "chunked")) return 1
  if (!CODINGS.test(text)) return -2
  // chunked comes once, and last (RFC 9112 section 6.1).
  const first = text.toLowerCase().indexOf("chunked")
  return first < 0 || first === text.length - 7 ? -1 : -2
}

/** A length that some servers read as octal. */
function hasLeadingZero(fields: Fields): boolean {
  const at = fields.indexOf(NAME.contentLength)
  return fields.raw.charCodeAt(fields.valueStart(at)) === 48
}

/** Decides how a request body is delimited into `framing`; null = fine (RFC 9112 sections 6.1 to 6.3). */
export function frameRequest(fields: Fields, version: number): Fault | null {
  framing.kind = BODY_NONE
  framing.length = 0
  const coding = transferCoding(fields)
  const length = contentLength(fields)
  if (coding === -2 || length === -2 || fields.lookalike) return FAULT.malformed
  if (coding === -1) return FAULT.methodUnsupported
  if (coding === 1) {
    // Both at once is how requests are smuggled; from HTTP/1.0 the coding itself cannot be trusted.
    if (length >= 0 || version < 11) return FAULT.malformed
    framing.kind = BODY_CHUNKED
  } else if (length > 0) {
    framing.kind = BODY_LENGTH
    framing.length = length
    if (hasLeadingZero(fields)) fields.set(NAME.contentLength, "Content-Length", String(length))
  }
  return null
}

/** The same for a response to `method` (RFC 9112 section 6.3). */
export function frameResponse(fields: Fields, status: number, method: string, version: number): Fault | null {
  framing.kind = BODY_NONE
  framing.length = 0
  if (status === 101) {
    framing.kind = BODY_TUNNEL
    return null
  }
  if (method === "CONNECT" && status >= 200 && status < 300) {
    framing.kind = BODY_TUNNEL
    return null
  }
  const coding = transferCoding(fields)
  const length = contentLength(fields)
  if (method === "HEAD" || status === 204 || status === 304) {
    framing.length = length < 0 ? 0 : length
    return length === -2 || coding === -2 ? FAULT.malformedResponse : null
  }
  if (coding < 0 || length === -2) return FAULT.malformedResponse
  if (coding === 1) {
    if (length >= 0 || version < 11) return FAULT.malformedResponse
    framing.kind = BODY_CHUNKED
  } else if (length >= 0) {
    framing.kind = length === 0 ? BODY_NONE : BODY_LENGTH
    framing.length = length
    // The server codec says it anew.
    if (length > 0 && hasLeadingZero(fields)) fields.remove(NAME.contentLength)
  } else framing.kind = BODY_CLOSE
  return null
}
