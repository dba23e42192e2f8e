// HOT
import { type Exchange, lineValue } from "../../flow/index.ts"
import { type Fields, listHas, NAME, octetFields, weakTag } from "../../http/index.ts"
import { dropField, fieldText } from "../headers/edit-fields.ts"

/** All that a section says under a name, as it came and as it was added, in one list. */
export function listOf(fields: Fields, id: number, lower: string): string {
  const came = fields.has(id) ? fields.joined(id) : ""
  if (fields.extra === "") return came
  const added = lineValue(fields.extra, lower)
  return added === "" ? came : came === "" ? added : `${came}, ${added}`
}

/** RFC 9110 section 7.7: who says no-transform gets it as it is. */
export function forbidsTransform(x: Exchange): boolean {
  return listHas(listOf(x.response, NAME.cacheControl, "cache-control"), "no-transform")
}

/** The response is another for clients that accept other codings (RFC 9110 section 12.5.5). */
export function varyByCoding(x: Exchange): void {
  const said = listOf(x.response, NAME.vary, "vary")
  if (said === "*" || listHas(said, "accept-encoding")) return
  dropField(x.response, "vary")
  x.response.append("Vary", said === "" ? "Accept-Encoding" : `${said}, Accept-Encoding`)
}

/** Octets that mean the same and are others have a weak tag (RFC 9110 section 8.8.1). */
export function weakenTag(x: Exchange): void {
  const tag = listOf(x.response, NAME.etag, "etag")
  const weak = weakTag(tag)
  if (weak === tag) return
  dropField(x.response, "etag")
  x.response.append("ETag", weak)
}

/** What is true of the octets that came, and of no others. */
export function dropOctetFields(fields: Fields): void {
  for (let i = 0; i < octetFields.length; i++) dropField(fields, octetFields[i]!)
}

/** Whether a response has a whole body that may be sent in another form: not a part of one, nor what has none (RFC 9110 sections 6.4.1 and 15.3.7). */
export function hasWholeBody(x: Exchange): boolean {
  const { status } = x
  return status >= 200 && status !== 204 && status !== 205 && status !== 206 && status !== 304 && fieldText(x.response, "content-range") === ""
}
