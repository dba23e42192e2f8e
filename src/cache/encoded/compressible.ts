// HOT
import { type Fields, NAME } from "../../http/index.ts"
import { parseResponseDirectives } from "../rules/cache-control.ts"
import type { StoredResponse } from "../stored.ts"

/** Below this a head's octets are most of what is sent. */
export const ENCODED_BYTES_MIN = 256
/** Larger bodies stay as they are. */
export const ENCODED_BYTES_MAX = 8 * 1024 * 1024

/** Types that are not compressed by themselves; besides all of `text/` and what ends in +json or +xml. */
const TYPES: ReadonlySet<string> = new Set([
  "application/dash+xml",
  "application/ecmascript",
  "application/geo+json-seq",
  "application/graphql-response+json",
  "application/javascript",
  "application/json",
  "application/json-seq",
  "application/jsonlines",
  "application/rtf",
  "application/sql",
  "application/toml",
  "application/vnd.apple.mpegurl",
  "application/vnd.ms-fontobject",
  "application/wasm",
  "application/x-font-otf",
  "application/x-font-ttf",
  "application/x-javascript",
  "application/x-mpegurl",
  "application/x-ndjson",
  "application/x-yaml",
  "application/xml",
  "application/xml-dtd",
  "application/yaml",
  "font/collection",
  "font/otf",
  "font/sfnt",
  "font/ttf",
  "image/bmp",
  "image/vnd.microsoft.icon",
  "image/x-icon",
])

/** Whether a Content-Type is of something that gets smaller. "" = not known, so no. */
export function isCompressibleType(type: string): boolean {
  const semicolon = type.indexOf(";")
  const name = (semicolon < 0 ? type : type.substring(0, semicolon)).trim().toLowerCase()
  return name.startsWith("text/") || name.endsWith("+json") || name.endsWith("+xml") || TYPES.has(name)
}

/** Whether a stored response, or the whole of which it is a part, may be sent in another coding than it came in (RFC 9110 sections 7.7 and 8.4); `bodyLength` -1 = not known yet. */
export function isCompressible({ fields }: StoredResponse, bodyLength: number): boolean {
  if (bodyLength >= 0 && (bodyLength < ENCODED_BYTES_MIN || bodyLength > ENCODED_BYTES_MAX)) return false
  return !fields.has(NAME.contentEncoding) && isCompressibleType(fields.get(NAME.contentType)) && !forbidsTransform(fields)
}

/** RFC 9111 section 5.2.2.6. */
function forbidsTransform(fields: Fields): boolean {
  return fields.has(NAME.cacheControl) && parseResponseDirectives(fields.joined(NAME.cacheControl)).noTransform
}
