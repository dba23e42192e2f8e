// HOT
import { type Fault, FAULT } from "../../base/index.ts"
import type { Message } from "../message.ts"
import { NAME } from "../names.ts"
import { readExpect, readRulePath } from "../request-facts.ts"
import { frameRequest, framing } from "./framing.ts"
import { CLASS, CR, LF, SP, TARGET, TOKEN } from "../grammar.ts"
import { INCOMPLETE, parseFields, TOO_MANY } from "./parse-fields.ts"
import type { HeadLimits } from "../server-hooks.ts"
import { readTarget } from "../target.ts"

const METHOD_OCTETS_MAX = 32

/** Why `parseRequestHead` returned REFUSED. */
export const refusal: { fault: Fault } = { fault: FAULT.malformed }
export const REFUSED = -2
export { INCOMPLETE }

function refuse(fault: Fault): number {
  refusal.fault = fault
  return REFUSED
}

/**
 * Parses the request head that `text` begins with into `m` (RFC 9112 sections 2 and 3). Returns the index behind the blank line, INCOMPLETE when
 * more octets are needed, or REFUSED with `refusal.fault` set. `text` holds one character an octet; `octets` are the same octets from `base` on.
 */
export function parseRequestHead(octets: Uint8Array, base: number, text: string, m: Message, limits: HeadLimits): number {
  const end = base + text.length
  let i = base
  while (i < end && (CLASS[octets[i]!]! & TOKEN) !== 0) i++
  if (i === end) return i - base > METHOD_OCTETS_MAX ? refuse(FAULT.malformed) : INCOMPLETE
  if (i === base || i - base > METHOD_OCTETS_MAX || octets[i] !== SP) return refuse(FAULT.malformed)
  const methodEnd = i - base
  const targetStart = methodEnd + 1
  i++
  while (i < end && (CLASS[octets[i]!]! & TARGET) !== 0) i++
  const targetEnd = i - base
  if (targetEnd - targetStart > limits.targetBytesMax) return refuse(FAULT.targetTooLong)
  if (i === end) return INCOMPLETE
  if (targetEnd === targetStart || octets[i] !== SP) return refuse(FAULT.malformed)
  const lineEnd = targetEnd + 9
  if (lineEnd + 2 > text.length) return versionSoFar(text, targetEnd + 1) ? INCOMPLETE : refuse(FAULT.malformed)
  const version = versionAt(text, targetEnd + 1)
  if (version === 0 || text.charCodeAt(lineEnd) !== CR || text.charCodeAt(lineEnd + 1) !== LF) return refuse(FAULT.malformed)
  if (version !== 10 && version !== 11) return refuse(FAULT.versionUnsupported)
  m.request.reset(text)
  const headEnd = parseFields(octets, base, lineEnd + 2, m.request, limits.fieldsMax)
  if (headEnd < 0) return headEnd === INCOMPLETE ? INCOMPLETE : refuse(headEnd === TOO_MANY ? FAULT.fieldsTooLarge : FAULT.malformed)
  if (headEnd > limits.headBytesMax) return refuse(FAULT.fieldsTooLarge)
  m.method = methodAt(text, methodEnd)
  m.version = version
  const fault = readRequest(m, text.substring(targetStart, targetEnd))
  return fault === null ? headEnd : refuse(fault)
}

/** "HTTP/1.1" at `at` as 11; any other digits likewise; 0 = not a version. */
function versionAt(text: string, at: number): number {
  if (text.charCodeAt(at) !== 72 || text.charCodeAt(at + 1) !== 84 || text.charCodeAt(at + 2) !== 84 || text.charCodeAt(at + 3) !== 80) return 0
  const major = text.charCodeAt(at + 5) - 48
  const minor = text.charCodeAt(at + 7) - 48
  if (text.charCodeAt(at + 4) !== 47 || text.charCodeAt(at + 6) !== 46 || major < 0 || major > 9 || minor < 0 || minor > 9) return 0
  return major === 0 ? 9 : major * 10 + minor
}

/** The line is cut: could what is there still become a version and CRLF? */
function versionSoFar(text: string, at: number): boolean {
  const shape = "HTTP/D.D\r\n"
  for (let k = at; k < text.length; k++) {
    const want = shape.charCodeAt(k - at)
    const code = text.charCodeAt(k)
    if (want === 68 ? code < 48 || code > 57 : code !== want) return false
  }
  return true
}

/** The usual methods as shared strings, so that comparing and storing them costs nothing. */
function methodAt(text: string, end: number): string {
  switch (end) {
    case 3:
      if (text.charCodeAt(0) === 71 && text.charCodeAt(1) === 69 && text.charCodeAt(2) === 84) return "GET"
      return text.startsWith("PUT") ? "PUT" : text.substring(0, end)
    case 4:
      if (text.startsWith("POST")) return "POST"
      return text.startsWith("HEAD") ? "HEAD" : text.substring(0, end)
    default:
      return text.substring(0, end)
  }
}

function readRequest(m: Message, target: string): Fault | null {
  const fields = m.request
  m.forwardForm = false
  const hostFault = readHostField(m)
  if (hostFault !== null) return hostFault
  const targetFault = readTarget(m, target)
  if (targetFault !== null) return targetFault
  const framingFault = frameRequest(fields, m.version)
  if (framingFault !== null) return framingFault
  // CONNECT has no body; octets behind its head belong to the tunnel (RFC 9110 section 9.3.6).
  if (m.method === "CONNECT" && (framing.kind !== 0 || fields.has(NAME.contentLength))) return FAULT.malformed
  m.requestBody = framing.kind
  m.requestLength = framing.length
  return readExpect(m) ?? readRulePath(m)
}

/** Exactly one Host in HTTP/1.1, at most one in 1.0 (RFC 9112 section 3.2). Its value is checked when the target is read. */
function readHostField(m: Message): Fault | null {
  const fields = m.request
  const at = fields.has(NAME.host) ? fields.indexOf(NAME.host) : -1
  if (at < 0) {
    m.authority = ""
    return m.version === 11 ? FAULT.badHost : null
  }
  if (fields.repeated(NAME.host)) return FAULT.badHost
  m.authority = fields.valueAt(at)
  return null
}
