// HOT
import { assert } from "../base/index.ts"
import { type Exchange, NEXT, type Verdict } from "../flow/index.ts"
import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE, type ByteRange, NAME, parseRange, rangeApplies, reasonOf } from "../http/index.ts"
import { DiskHandle } from "./disk-handle.ts"
import { EntryReader } from "./entry-reader.ts"
import { EntrySource } from "./entry-source.ts"
import type { HeldEntry } from "./held-entry.ts"
import { isNotModified } from "./not-modified.ts"
import { type HeldPart, rangeText } from "./parts.ts"
import type { RouteCache } from "./route-cache.ts"
import { ageSeconds, ttlSeconds } from "./rules/reuse.ts"
import { ENTRY_COMPLETE, type MemoryEntry } from "./store/contract.ts"
import type { StoredResponse } from "./stored.ts"

/** Bodies up to this size leave together with their head, straight from the store. */
export const WHOLE_BYTES_MAX = 64 * 1024

/** Answers from an entry, which is held and given back when the exchange ends. The next step is the first behind the upstream's. */
export function serveStored(cache: RouteCache, x: Exchange, entry: HeldEntry, stored: StoredResponse, result: string): Verdict {
  assert(x.cached === null && x.up === null, "an exchange is answered once")
  const nowMs = cache.time.clock.wall()
  entry.touch()
  x.cacheResult = result
  x.status = stored.status
  x.reason = stored.reason
  const { response, request } = x
  response.copyFrom(stored.fields)
  response.extra = `Age: ${ageSeconds(stored, nowMs)}\r\n`
  // Who waited for another one's fetch has not had a hit (RFC 9211 section 2.6).
  const word = result === "coalesced" ? "fwd=uri-miss; collapsed" : "hit"
  if (cache.policy.status) x.cacheStatus = `; ${word}; ttl=${ttlSeconds(stored, nowMs)}`
  x.step = x.plan!.respondAt - 1
  let from = entry
  if (stored.status === 200) {
    const { encoder } = cache.policy
    if (encoder !== null) from = encoder.choose(cache, x, entry, stored)
    if ((request.has(NAME.ifNoneMatch) || request.has(NAME.ifModifiedSince)) && isNotModified(request, stored)) return serve304(x, from)
    // Who asks for a range is served from the entry itself.
    if (request.has(NAME.range) && x.method === "GET" && entry.bodyLength >= 0 && servePart(x, cache, entry, stored)) return NEXT
  }
  serveBody(x, cache, from, 0, from.bodyLength)
  return NEXT
}

/** RFC 9110 section 15.4.5: without what describes a body that does not come. */
function serve304(x: Exchange, entry: HeldEntry): Verdict {
  x.status = 304
  x.reason = reasonOf(304)
  x.response.remove(NAME.contentLength)
  x.response.remove(NAME.contentEncoding)
  x.response.remove(NAME.contentType)
  x.responseBody = BODY_NONE
  x.responseLength = 0
  entry.release()
  return NEXT
}

/** A range of a whole body; false = the whole is to be sent. */
function servePart(x: Exchange, cache: RouteCache, entry: HeldEntry, stored: StoredResponse): boolean {
  const { request, response } = x
  if (!rangeApplies(request.joined(NAME.ifRange), stored, cache.time.clock.wall())) return false
  const ranges = parseRange(request.joined(NAME.range), entry.bodyLength)
  if (ranges === null || (ranges !== "unsatisfiable" && ranges.length !== 1)) return false
  response.remove(NAME.contentLength)
  if (ranges === "unsatisfiable") {
    x.status = 416
    x.reason = reasonOf(416)
    response.append("Content-Range", `bytes */${entry.bodyLength}`)
    x.responseBody = BODY_NONE
    x.responseLength = 0
    entry.release()
    return true
  }
  sendPart(x, cache, entry, ranges[0]!)
  return true
}

function sendPart(x: Exchange, cache: RouteCache, entry: HeldEntry, { first, last }: ByteRange): void {
  x.status = 206
  x.reason = reasonOf(206)
  x.response.append("Content-Range", `bytes ${first}-${last}/${entry.bodyLength}`)
  serveBody(x, cache, entry, first, last + 1)
}

/** A range of a stored part; false = it is not in it. The part is given back when the exchange ends, or stays the caller's. */
export function serveFromPart(cache: RouteCache, x: Exchange, part: HeldPart): boolean {
  const { request } = x
  const { first, last, length } = part.stored.part!
  const nowMs = cache.time.clock.wall()
  if (x.method !== "GET" || !rangeApplies(request.joined(NAME.ifRange), part.stored, nowMs)) return false
  // Where the length of the whole is not known only ranges with both ends can be told to be inside.
  const ranges = parseRange(request.joined(NAME.range), length < 0 ? Number.MAX_SAFE_INTEGER : length)
  if (ranges === null || ranges === "unsatisfiable" || ranges.length !== 1) return false
  const wanted = ranges[0]!
  if (wanted.first < first || wanted.last > last) return false
  serveRun(cache, x, part, wanted, "hit")
  return true
}

/** Octets of a stored part, or of what just comes and is joined to one. */
export function serveRun(cache: RouteCache, x: Exchange, { entry, stored }: HeldPart, { first, last }: ByteRange, result: string): void {
  const nowMs = cache.time.clock.wall()
  const offset = stored.part?.first ?? 0
  const length = stored.part === null ? entry.bodyLength : stored.part.length
  entry.touch()
  x.cacheResult = result
  x.status = 206
  x.reason = reasonOf(206)
  const { response } = x
  response.copyFrom(stored.fields)
  response.remove(NAME.contentLength)
  response.removeName("content-range")
  response.extra = `Age: ${ageSeconds(stored, nowMs)}\r\nContent-Range: ${rangeText({ first, last, length })}\r\n`
  if (cache.policy.status) x.cacheStatus = `; hit; ttl=${ttlSeconds(stored, nowMs)}`
  if (cache.policy.encoder !== null) cache.policy.encoder.tellVary(x, stored, length)
  x.step = x.plan!.respondAt - 1
  serveBody(x, cache, entry, first - offset, last + 1 - offset)
}

/** Octets `from` up to, not including, `to`, -1 = to an end that is not known yet. */
export function serveBody(x: Exchange, cache: RouteCache, entry: HeldEntry, from: number, to: number): void {
  x.responseBody = to < 0 ? BODY_CHUNKED : BODY_LENGTH
  x.responseLength = to < 0 ? 0 : to - from
  if (x.method === "HEAD") {
    // Its length may be known by now; without it nothing is said of the body.
    if (to < 0) x.responseBody = BODY_NONE
    entry.release()
    return
  }
  if (to === from) {
    entry.release()
    return
  }
  if (to >= 0 && to - from <= WHOLE_BYTES_MAX && entry.state === ENTRY_COMPLETE) {
    const piece = entry.piece(from, to - from)
    if (piece.length === to - from) {
      x.localBody = piece
      x.cached = entry
      return
    }
  }
  // Of the memory store, or on disk: there is nothing else.
  const source = entry instanceof DiskHandle ? entry : new EntrySource(entry as MemoryEntry, cache.store.fetchOf(entry as MemoryEntry))
  x.up = new EntryReader(x, source, from, to)
}

/** Gives back what the answer was read from. A step behind the response, which always runs. */
export function releaseStored(x: Exchange): Verdict {
  const entry = x.cached as HeldEntry | null
  if (entry === null) return NEXT
  x.cached = null
  x.localBody = null
  entry.release()
  return NEXT
}
