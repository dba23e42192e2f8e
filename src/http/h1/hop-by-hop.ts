// HOT
import type { Fields } from "../fields.ts"
import { NAME, nameId } from "../names.ts"
import { HTAB, isWord, SP } from "../grammar.ts"

/** What the Connection field said; read before the next call. */
export const connection = { close: false, keepAlive: false, upgrade: false, te: false }

const LOW_MASK =
  (1 << NAME.connection) |
  (1 << NAME.keepAlive) |
  (1 << NAME.proxyConnection) |
  (1 << NAME.te) |
  (1 << NAME.upgrade) |
  (1 << NAME.trailer) |
  (1 << NAME.http2Settings)

/**
 * Removes the fields that belong to one connection only, among them those that Connection nominates (RFC 9110 section 7.6.1), and notes what
 * Connection said. Framing and Host cannot be nominated away: the message could not be read any more. What we generate is added later.
 */
export function stripHopByHop(fields: Fields): void {
  connection.close = false
  connection.keepAlive = false
  connection.upgrade = false
  connection.te = false
  if ((fields.presentLow & LOW_MASK) === 0) return
  if (fields.has(NAME.connection)) {
    for (let i = fields.indexOf(NAME.connection); i >= 0; i = fields.indexOf(NAME.connection, i + 1)) readOptions(fields, fields.valueAt(i))
    fields.remove(NAME.connection)
  }
  fields.remove(NAME.keepAlive)
  fields.remove(NAME.proxyConnection)
  fields.remove(NAME.te)
  fields.remove(NAME.upgrade)
  fields.remove(NAME.trailer)
  fields.remove(NAME.http2Settings)
}

function readOptions(fields: Fields, value: string): void {
  if (value === "keep-alive") {
    connection.keepAlive = true
    return
  }
  let start = 0
  while (start <= value.length) {
    let end = value.indexOf(",", start)
    if (end < 0) end = value.length
    let a = start
    let b = end
    while (a < b && (value.charCodeAt(a) === SP || value.charCodeAt(a) === HTAB)) a++
    while (b > a && (value.charCodeAt(b - 1) === SP || value.charCodeAt(b - 1) === HTAB)) b--
    if (b > a) readOption(fields, value, a, b)
    start = end + 1
  }
}

function readOption(fields: Fields, value: string, a: number, b: number): void {
  if (isWord(value, a, b, "close")) connection.close = true
  else if (isWord(value, a, b, "keep-alive")) connection.keepAlive = true
  else if (isWord(value, a, b, "upgrade")) connection.upgrade = true
  else if (isWord(value, a, b, "te")) connection.te = true
  else {
    const id = nameId(value, a, b)
    if (id === NAME.contentLength || id === NAME.transferEncoding || id === NAME.host || id === NAME.connection) return
    if (id !== 0) fields.remove(id)
    else fields.removeName(value.substring(a, b).toLowerCase())
  }
}
