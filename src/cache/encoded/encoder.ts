// HOT
import type { Exchange } from "../../flow/index.ts"
import { AcceptedCodings, entityTagMatches, type Fields, NAME, weakTag } from "../../http/index.ts"
import { DiskHandle } from "../disk-handle.ts"
import type { HeldEntry } from "../held-entry.ts"
import type { RouteCache } from "../route-cache.ts"
import { ENTRY_COMPLETE, type MemoryEntry } from "../store/contract.ts"
import type { StoredResponse } from "../stored.ts"
import type { Coding } from "./coding.ts"
import { isCompressible } from "./compressible.ts"
import { varyOf } from "./encoded-fields.ts"
import { Siblings } from "./siblings.ts"

const NONE: readonly number[] = Object.freeze([])

/** Serves stored texts in the coding that each client likes best, and has them made when somebody could use them. One a route and thread. */
export class Encoder {
  private readonly codings: readonly Coding[]
  private readonly accepted: AcceptedCodings
  private siblings: Siblings | null = null

  /** `codings`: the one that goes first where a client likes several as much. */
  constructor(codings: readonly Coding[]) {
    this.codings = codings
    this.accepted = new AcceptedCodings(codings)
  }

  /**
   * What a response with status 200 is served from: `entry`, or in its place (which is given back) its encoded sibling. `x.response` becomes what goes with that.
   * Who asks for a range gets plain octets. The first that could use a coding causes it to be made, and does not wait for it.
   */
  choose(cache: RouteCache, x: Exchange, entry: HeldEntry, stored: StoredResponse): HeldEntry {
    // What still grows is plain, and so is what is read from disk.
    if (entry instanceof DiskHandle || entry.state !== ENTRY_COMPLETE) {
      this.tellVary(x, stored, entry.bodyLength)
      return entry
    }
    const siblings = (this.siblings ??= new Siblings(cache, this.codings))
    const note = siblings.noteOf(x, entry as MemoryEntry, stored)
    if (note.states === null) return entry
    const { request } = x
    const wanted = this.wantedBy(cache, x)
    const found = wanted.length === 0 || request.has(NAME.range) ? null : siblings.find(note, entry as MemoryEntry, wanted, x.method === "GET")
    if (found !== null) {
      setFields(x, found.state.fields(stored))
      found.sibling.touch()
      entry.release()
      return found.sibling
    }
    setFields(x, note.identity)
    if (request.has(NAME.range) && wanted.length > 0) dropDatedRange(x)
    if (request.has(NAME.ifNoneMatch)) keepWeakTag(x, stored)
    return entry
  }

  /** Says of an answer in plain octets that it might be another. `bodyLength`: of the whole, -1 = not known. */
  tellVary(x: Exchange, stored: StoredResponse, bodyLength: number): void {
    if (isCompressible(stored, bodyLength)) x.response.set(NAME.vary, "Vary", varyOf(stored))
  }

  /** Indexes of codings, the best first. Who wants it unchanged wants no coding either (RFC 9111 section 5.2.1.6). */
  private wantedBy(cache: RouteCache, x: Exchange): readonly number[] {
    const { request } = x
    if (!request.has(NAME.acceptEncoding)) return NONE
    if (request.has(NAME.cacheControl) && cache.directivesOf(x).noTransform) return NONE
    return this.accepted.of(request.joined(NAME.acceptEncoding))
  }
}

/** What has been added for this answer stays. */
function setFields(x: Exchange, fields: Fields): void {
  const { response } = x
  const { extra } = response
  response.copyFrom(fields)
  response.extra = extra
}

/**
 * If-Range by date does not tell octets of one coding from those of another, which have the same Last-Modified (RFC 9110 section 8.8.1): whoever may have got encoded ones gets
 * the whole. By tag it does: the strong tag is the plain octets' alone, and a weak one matches nothing there.
 */
function dropDatedRange(x: Exchange): void {
  const since = x.request.joined(NAME.ifRange)
  if (since !== "" && !since.includes('"')) x.request.remove(NAME.range)
}

/** Who has an encoded answer, and it is not to be had just now, is told 304 with the tag it knows (RFC 9110 section 15.4.5). */
function keepWeakTag(x: Exchange, stored: StoredResponse): void {
  const weak = weakTag(stored.etag)
  const asked = x.request.joined(NAME.ifNoneMatch)
  if (weak !== stored.etag && asked.includes(weak) && entityTagMatches(asked, weak, false)) x.response.set(NAME.etag, "ETag", weak)
}
