import { Fields } from "../fields.ts"
import { NAME } from "../names.ts"
import { parseFields } from "./parse-fields.ts"

const TRAILER_FIELDS_MAX = 64

// Fields that say how to read, route or trust the message may not come after it (RFC 9110 section 6.5.1).
const refused = new Set<number>([
  NAME.host,
  NAME.connection,
  NAME.contentLength,
  NAME.transferEncoding,
  NAME.expect,
  NAME.upgrade,
  NAME.te,
  NAME.trailer,
  NAME.keepAlive,
  NAME.proxyConnection,
  NAME.proxyAuthorization,
  NAME.proxyAuthenticate,
  NAME.authorization,
  NAME.via,
  NAME.xForwardedFor,
  NAME.xForwardedProto,
  NAME.xForwardedHost,
  NAME.forwarded,
  NAME.xRealIp,
  NAME.setCookie,
  NAME.cookie,
  NAME.range,
  NAME.cacheControl,
  NAME.contentEncoding,
  NAME.contentType,
  NAME.location,
  NAME.vary,
  NAME.maxForwards,
])

/** The trailer lines that may travel on, ready-made; "" when there are none; null when the section breaks the grammar. */
export function cleanTrailers(section: string): string | null {
  if (section === "") return ""
  const fields = new Fields()
  const text = `${section}\r\n`
  fields.reset(text)
  if (parseFields(Buffer.from(text, "latin1"), 0, 0, fields, TRAILER_FIELDS_MAX) !== text.length) return null
  let out = ""
  for (let i = 0; i < fields.count; i++) if (!refused.has(fields.ids[i]!)) out += `${fields.nameAt(i)}: ${fields.valueAt(i)}\r\n`
  return out
}
