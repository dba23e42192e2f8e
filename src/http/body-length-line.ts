// HOT
import { BODY_CHUNKED, BODY_CLOSE, BODY_LENGTH, type Message } from "./message.ts"
import { NAME } from "./names.ts"

/** The body's length where the section does not say it; what it says of a body of unknown length is not true (RFC 9110 section 8.6). */
export function bodyLengthLine(m: Message): string {
  const fields = m.response
  if (m.status === 204) fields.remove(NAME.contentLength)
  if (m.responseBody === BODY_CHUNKED || m.responseBody === BODY_CLOSE) {
    if (m.method !== "HEAD" && m.status !== 304) fields.remove(NAME.contentLength)
    return ""
  }
  if (fields.has(NAME.contentLength) || m.status === 204 || m.status === 304) return ""
  return m.responseBody === BODY_LENGTH || m.method !== "HEAD" ? `content-length: ${m.responseLength}\r\n` : ""
}
