import type { Exchange } from "../../flow/index.ts"
import { BODY_LENGTH, BODY_NONE, type ByteRange, NAME, parseRange, rangeApplies, reasonOf } from "../../http/index.ts"
import { isNotModified } from "../not-modified.ts"
import { rangeText } from "../parts.ts"
import type { RouteCache } from "../route-cache.ts"
import { ageSeconds } from "../rules/reuse.ts"
import type { StoredResponse } from "../stored.ts"

/** What a request gets of a representation that is there in slices. */
export interface SliceReply {
  readonly status: 200 | 206 | 304 | 416
  /** The octets that go out. */
  readonly range: ByteRange
}

/** Of the octets of one part, and not true of others. */
const OF_PART: readonly string[] = ["content-range", "content-md5", "content-digest"]
const NO_OCTETS: ByteRange = Object.freeze({ first: 0, last: -1 })

/** What the request asks for, as far as one slice's head can say (RFC 9110 sections 13.2.2, 14.2). */
export function replyTo({ request }: Exchange, stored: StoredResponse, nowMs: number): SliceReply {
  const { length } = stored.part!
  if (isNotModified(request, stored)) return { status: 304, range: NO_OCTETS }
  const applies = request.has(NAME.range) && rangeApplies(request.joined(NAME.ifRange), stored, nowMs)
  const ranges = applies ? parseRange(request.joined(NAME.range), length) : null
  if (ranges === "unsatisfiable") return { status: 416, range: NO_OCTETS }
  if (ranges === null || ranges.length !== 1) return { status: 200, range: { first: 0, last: length - 1 } }
  return { status: 206, range: ranges[0]! }
}

/** The head of an answer, with the fields and the age of the first slice that goes into it. */
export function setSliceHead(cache: RouteCache, x: Exchange, stored: StoredResponse, { status, range }: SliceReply): void {
  const { response } = x
  const { length } = stored.part!
  x.status = status
  x.reason = reasonOf(status)
  response.copyFrom(stored.fields)
  response.remove(NAME.contentLength)
  for (const name of OF_PART) response.removeName(name)
  response.extra = `Age: ${ageSeconds(stored, cache.time.clock.wall())}\r\n`
  if (status === 206) response.append("Content-Range", rangeText({ ...range, length }))
  if (status === 416) response.append("Content-Range", `bytes */${length}`)
  if (status === 304) {
    response.remove(NAME.contentEncoding)
    response.remove(NAME.contentType)
  }
  if (cache.policy.encoder !== null) cache.policy.encoder.tellVary(x, stored, length)
  const octets = range.last - range.first + 1
  x.responseBody = octets > 0 ? BODY_LENGTH : BODY_NONE
  x.responseLength = octets
}
