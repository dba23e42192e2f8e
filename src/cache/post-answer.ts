import { type BodyChange, changeResponseBody, type Exchange } from "../flow/index.ts"
import { BODY_LENGTH, BODY_NONE, Fields } from "../http/index.ts"
import { judgeAnswer, keptLines } from "./judge-answer.ts"
import { groupOf } from "./key-parts.ts"
import { labelsOf } from "./labels.ts"
import type { RouteCache } from "./route-cache.ts"
import { FieldLines } from "./rules/field-lines.ts"
import type { MemoryEntry } from "./store/contract.ts"
import { encodeResponse } from "./stored.ts"

/** Copies a body into the store on its way to the client. */
class Tee implements BodyChange {
  readonly trailers = ""
  private readonly entry: MemoryEntry

  constructor(entry: MemoryEntry) {
    this.entry = entry
  }

  push(chunk: Uint8Array): Uint8Array {
    if (this.entry.filling && !this.entry.append(chunk)) this.entry.fail()
    return chunk
  }

  end(_trailers: string): Uint8Array {
    if (this.entry.filling) this.entry.complete()
    return NOTHING
  }
}

const NOTHING = new Uint8Array(0)

/**
 * An answer to POST that says how long it is fresh and that it is the target's own representation (its Content-Location is the target) answers later GETs
 * (RFC 9110 section 9.3.3). It is stored while it goes to the client; what is not whole at the end of the exchange is none.
 */
export function storePostAnswer(cache: RouteCache, x: Exchange): void {
  if (x.method !== "POST" || x.status !== 200 || x.cached !== null || x.response.find("content-location") === undefined) return
  const { clock } = cache.time
  const fields = new Fields()
  fields.copyFrom(x.request)
  const lines = FieldLines.parse(x.response.render())
  const asked = { method: "POST", path: x.path + x.query, targetUri: groupOf(x), fields, sentMs: clock.wall() - Math.max(0, clock.now() - x.sentAt) }
  const { verdict, names, facts } = judgeAnswer(cache, asked, { status: 200, lines })
  // Its variants are chosen by fields of a GET, which this one was not.
  if (!verdict.store || names.length > 0) return
  const entry = cache.store.memory.begin(cache.keyOf(x), true)
  if (entry === null) return
  const length = x.responseBody === BODY_LENGTH ? x.responseLength : x.responseBody === BODY_NONE ? 0 : -1
  if (!entry.setHead(encodeResponse(facts, keptLines(lines, verdict.withoutFields)), length, labelsOf(lines))) {
    entry.fail()
    entry.release()
    return
  }
  // Given back with the exchange; by then it is complete, or it fails.
  x.cached = entry
  if (length === 0) entry.complete()
  else changeResponseBody(x, new Tee(entry))
}
