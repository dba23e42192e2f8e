import { type Fault, FAULT } from "../../base/index.ts"
import { parseResponseHead } from "../h1/response-head.ts"
import { stripHopByHop } from "../h1/hop-by-hop.ts"
import { BODY_CHUNKED, BODY_CLOSE, BODY_NONE, type Message } from "../message.ts"
import { NAME } from "../names.ts"
import { reasonOf } from "../reason.ts"

const LF = 10
const CR = 13

/**
 * Reads the head of a CGI answer (RFC 3875 section 6.3) into `m`: the index behind it, -1 = it is not whole yet, or what is wrong. Lines may end with LF alone. Status
 * says the status; without it Location means a redirection, and 200 is the rest.
 */
export function cgiHead(octets: Buffer, m: Message, limits: { readonly headBytesMax: number; readonly fieldsMax: number }): number | Fault {
  const end = endOfHead(octets)
  if (end < 0) return octets.length > limits.headBytesMax ? FAULT.responseTooLarge : -1
  if (end > limits.headBytesMax) return FAULT.responseTooLarge
  const lines = octets
    .latin1Slice(0, end)
    .split("\n")
    .map(line => (line.endsWith("\r") ? line.slice(0, -1) : line))
    .filter(line => line !== "")
  // A number of the whole line is what scripts that imitate a server say in front.
  const first = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/.exec(lines[0] ?? "")
  if (first !== null) lines.shift()
  const said = statusOf(lines)
  if (said === null) return FAULT.malformedResponse
  const located = lines.some(line => /^location[ \t]*:/i.test(line))
  const status = said !== 0 ? said : first !== null ? Number(first[1]) : located ? 302 : 200
  const fields = lines.filter(line => !/^status[ \t]*:/i.test(line))
  const text = `HTTP/1.1 ${status} ${reasonOf(status)}\r\n${fields.map(line => `${line}\r\n`).join("")}\r\n`
  if (parseResponseHead(Buffer.from(text, "latin1"), text, m, limits.fieldsMax) < 0) return FAULT.malformedResponse
  if (m.status < 200) return FAULT.malformedResponse
  stripHopByHop(m.response)
  m.response.remove(NAME.transferEncoding)
  if (m.responseBody === BODY_CLOSE || m.responseBody === BODY_CHUNKED) m.responseBody = m.method === "HEAD" ? BODY_NONE : BODY_CHUNKED
  return end
}

/** Behind the empty line, -1 = there is none. */
function endOfHead(octets: Buffer): number {
  for (let at = octets.indexOf(LF); at >= 0; at = octets.indexOf(LF, at + 1)) {
    if (octets[at + 1] === LF) return at + 2
    if (octets[at + 1] === CR && octets[at + 2] === LF) return at + 3
  }
  // Nothing but a body: the head is an empty line.
  if (octets[0] === LF) return 1
  return octets[0] === CR && octets[1] === LF ? 2 : -1
}

/** 0 = it says none, null = it says nonsense. */
function statusOf(lines: readonly string[]): number | null {
  const line = lines.find(each => /^status[ \t]*:/i.test(each))
  if (line === undefined) return 0
  const found = /^status[ \t]*:[ \t]*([2-5]\d\d)(?:[ \t]|$)/i.exec(line)
  return found === null ? null : Number(found[1])
}
