// HOT
import { BODY_LENGTH, BODY_NONE, BODY_TUNNEL, type Message } from "../message.ts"
import { NAME } from "../names.ts"

/** What `frameLines` decided; read before the next call. */
export const frame = { chunked: false, close: false }

/**
 * Decides how the body of a response is delimited for its client and returns the lines that say so, where the section does not have them
 * already (RFC 9112 section 6). `frame.close`: only the end of the connection can end this body.
 */
export function frameLines(m: Message): string {
  const fields = m.response
  frame.chunked = false
  frame.close = false
  if (m.responseBody === BODY_TUNNEL) {
    fields.remove(NAME.transferEncoding)
    fields.remove(NAME.contentLength)
    return m.status === 101 ? `Connection: upgrade\r\nUpgrade: ${m.upgrade}\r\n` : ""
  }
  if (m.method === "HEAD" || m.status === 204 || m.status === 304) {
    fields.remove(NAME.transferEncoding)
    // RFC 9110 section 8.6: a 204 has none.
    if (m.status === 204) fields.remove(NAME.contentLength)
    // Only a local answer has a body that HEAD leaves out; it says the length all the same (section 9.3.2).
    return m.responseBody === BODY_LENGTH && !fields.has(NAME.contentLength) ? `Content-Length: ${m.responseLength}\r\n` : ""
  }
  if (m.responseBody === BODY_NONE || m.responseBody === BODY_LENGTH) {
    fields.remove(NAME.transferEncoding)
    return fields.has(NAME.contentLength) ? "" : `Content-Length: ${m.responseLength}\r\n`
  }
  fields.remove(NAME.contentLength)
  if (m.version === 11) {
    frame.chunked = true
    return fields.has(NAME.transferEncoding) ? "" : "Transfer-Encoding: chunked\r\n"
  }
  fields.remove(NAME.transferEncoding)
  frame.close = true
  return ""
}

/** The status line; the usual one as a shared string. */
export function statusLine(m: Message): string {
  return m.status === 200 && m.reason === "OK" ? "HTTP/1.1 200 OK\r\n" : `HTTP/1.1 ${m.status} ${m.reason}\r\n`
}
