// HOT
import { type Fields, isCompressibleType, NAME } from "../../http/index.ts"
import { parseResponseDirectives } from "../rules/cache-control.ts"
import type { StoredResponse } from "../stored.ts"

/** Below this a head's octets are most of what is sent. */
export const ENCODED_BYTES_MIN = 256
/** Larger bodies stay as they are. */
export const ENCODED_BYTES_MAX = 8 * 1024 * 1024

/** Whether a stored response, or the whole of which it is a part, may be sent in another coding than it came in (RFC 9110 sections 7.7 and 8.4); `bodyLength` -1 = not known yet. */
export function isCompressible({ fields }: StoredResponse, bodyLength: number): boolean {
  if (bodyLength >= 0 && (bodyLength < ENCODED_BYTES_MIN || bodyLength > ENCODED_BYTES_MAX)) return false
  return !fields.has(NAME.contentEncoding) && isCompressibleType(fields.get(NAME.contentType)) && !forbidsTransform(fields)
}

/** RFC 9111 section 5.2.2.6. */
function forbidsTransform(fields: Fields): boolean {
  return fields.has(NAME.cacheControl) && parseResponseDirectives(fields.joined(NAME.cacheControl)).noTransform
}
