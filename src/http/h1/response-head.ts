// HOT
import { type Fault, FAULT } from "../../base/index.ts"
import type { Message } from "../message.ts"
import { frameResponse, framing } from "./framing.ts"
import { CLASS, CR, DIGIT, LF, SP, VALUE } from "../grammar.ts"
import { INCOMPLETE, parseFields, TOO_MANY } from "./parse-fields.ts"

export const RESPONSE_REFUSED = -2

/** What `parseResponseHead` found besides the message's own fields. */
export const responseHead: { fault: Fault; version: number; fieldsStart: number } = { fault: FAULT.malformedResponse, version: 11, fieldsStart: 0 }

function refuse(fault: Fault): number {
  responseHead.fault = fault
  return RESPONSE_REFUSED
}

/**
 * Parses the response head that `text` begins with into status, reason, response and its framing of `m` (RFC 9112 section 4). `octets` begin with
 * the same octets. Returns the index behind the blank line, INCOMPLETE, or RESPONSE_REFUSED with `responseHead.fault` set.
 */
export function parseResponseHead(octets: Uint8Array, text: string, m: Message, fieldsMax: number): number {
  const length = text.length
  if (length < 13) return "HTTP/1.".startsWith(text.substring(0, 7)) ? INCOMPLETE : refuse(FAULT.malformedResponse)
  const version = versionAt(octets)
  if (version === 0) return refuse(FAULT.malformedResponse)
  const status = statusAt(octets, 9)
  if (status < 100) return refuse(FAULT.malformedResponse)
  let i = 12
  // The space before an empty reason is often left out; that cannot be read in two ways.
  if (octets[i] === SP) i++
  const reasonStart = i
  while (i < length && (CLASS[octets[i]!]! & VALUE) !== 0) i++
  if (i + 1 >= length) return INCOMPLETE
  if (octets[i] !== CR || octets[i + 1] !== LF || (i > 12 && reasonStart === 12)) return refuse(FAULT.malformedResponse)
  m.response.reset(text)
  const end = parseFields(octets, 0, i + 2, m.response, fieldsMax)
  if (end < 0) return end === INCOMPLETE ? INCOMPLETE : refuse(end === TOO_MANY ? FAULT.responseTooLarge : FAULT.malformedResponse)
  m.status = status
  m.reason = i === reasonStart + 2 && octets[reasonStart] === 79 && octets[reasonStart + 1] === 75 ? "OK" : text.substring(reasonStart, i)
  responseHead.version = version
  responseHead.fieldsStart = i + 2
  const fault = frameResponse(m.response, status, m.method, version)
  if (fault !== null) return refuse(fault)
  m.responseBody = framing.kind
  m.responseLength = framing.length
  return end
}

/** "HTTP/1.1 " as 11, "HTTP/1.0 " as 10, else 0. Octet by octet: a call into the runtime costs more than all of them. */
function versionAt(octets: Uint8Array): number {
  if (octets[0] !== 72 || octets[1] !== 84 || octets[2] !== 84 || octets[3] !== 80) return 0
  if (octets[4] !== 47 || octets[5] !== 49 || octets[6] !== 46 || octets[8] !== SP) return 0
  const minor = octets[7]! - 48
  return minor === 1 ? 11 : minor === 0 ? 10 : 0
}

/** Three digits at `at`, else 0. Those above 599 pass: clients treat them as 5xx (RFC 9110 section 15). */
function statusAt(octets: Uint8Array, at: number): number {
  let status = 0
  for (let k = 0; k < 3; k++) {
    const code = octets[at + k]!
    if ((CLASS[code]! & DIGIT) === 0) return 0
    status = status * 10 + (code - 48)
  }
  return status
}
