import { isToken, readDigits, skipSpace, trimEnd, type Validators } from "../../http/index.ts"
import type { FieldLines } from "./field-lines.ts"

/** Fields of one hop, and of the proxy that a cache used: never stored (RFC 9111 section 3.1, RFC 9110 section 7.6.1). */
const HOP_FIELDS: readonly string[] = [
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"],
  ...["proxy-authenticate", "proxy-authentication-info", "proxy-authorization"],
]

/**
 * Fields that a 304 or an answer to HEAD does not change (section 3.2): those that say how the stored octets are to be read, which are the old ones; and cookies, which
 * are for whoever asked.
 */
const KEPT_FIELDS: readonly string[] = [...["content-length", "content-encoding", "content-type", "content-range", "set-cookie", "set-cookie2"]]

/** Fields that say how old the stored response is. They are the new one's, or none: with the old ones it would be as old as before. */
const TIME_FIELDS: readonly string[] = ["age", "date"]

/** What is stored of a response's fields (section 3.1): without those of one hop, those that Connection names, and `withoutFields` (lower case). */
export function storedFields(received: FieldLines, withoutFields: readonly string[]): FieldLines {
  return received.without(new Set([...HOP_FIELDS, ...connectionNames(received), ...withoutFields]))
}

/**
 * The fields of a stored response after a 304 or an answer to HEAD about it (sections 3.2, 4.3.4, 4.3.5): the new ones, each name with all its lines, and those of
 * the old ones that it does not name or may not change. `withoutFields` as for `storedFields`.
 */
export function updatedFields(stored: FieldLines, fresh: FieldLines, withoutFields: readonly string[] = []): FieldLines {
  const added = storedFields(fresh, [...withoutFields, ...KEPT_FIELDS])
  return stored.without(new Set([...added.names, ...TIME_FIELDS])).concat(added)
}

/** The names that Connection lists, lower case. */
function connectionNames(fields: FieldLines): readonly string[] {
  const list = fields.get("connection")
  const names: string[] = []
  let at = 0
  while (at < list.length) {
    const comma = list.indexOf(",", at)
    const end = comma < 0 ? list.length : comma
    const start = skipSpace(list, at, end)
    const stop = trimEnd(list, start, end)
    if (isToken(list, start, stop)) names.push(list.slice(start, stop).toLowerCase())
    at = end + 1
  }
  return names
}

/**
 * Whether a 304 is about this stored response (section 4.3.4). The request must have asked about this one alone: then the tag that comes back need only be the same
 * weakly, because servers that weaken it when they compress do not do so in a 304; and a 304 without validators, which they should not send, is about nothing else.
 */
export function selects304(stored: Validators, response: Validators): boolean {
  if (response.etag !== "") return opaqueOf(response.etag) === opaqueOf(stored.etag)
  return response.lastModified === "" || response.lastModified === stored.lastModified
}

/** An entity tag without its mark of weakness (RFC 9110 section 8.8.3.2). */
function opaqueOf(tag: string): string {
  return tag.startsWith('W/"') ? tag.slice(2) : tag
}

/**
 * Whether an answer 200 to HEAD is about the same representation as this stored one (section 4.3.5); if not, the stored one is stale. `storedLength` -1 = not
 * known; `contentLength` is the joined value of the answer.
 */
export function headMatches(stored: Validators, storedLength: number, response: Validators, contentLength: string): boolean {
  if (response.etag !== "" && response.etag !== stored.etag) return false
  if (response.lastModified !== "" && response.lastModified !== stored.lastModified) return false
  if (contentLength === "" || storedLength < 0) return true
  return readDigits(contentLength, 0, contentLength.length, Number.MAX_SAFE_INTEGER) === storedLength
}
