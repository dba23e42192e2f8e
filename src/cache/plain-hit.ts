// HOT
import type { Exchange } from "../flow/index.ts"
import { BODY_LENGTH, BODY_NONE, NAME } from "../http/index.ts"
import { WHOLE_BYTES_MAX } from "./answer.ts"
import type { Note } from "./note.ts"
import type { Question } from "./question.ts"
import type { RouteCache } from "./route-cache.ts"
import type { MemoryEntry } from "./store/contract.ts"
import type { StoredResponse } from "./stored.ts"

/** What makes a request more than plain. All of these have ids above 31. */
const SAYS_MORE =
  (1 << (NAME.ifNoneMatch - 32)) |
  (1 << (NAME.ifModifiedSince - 32)) |
  (1 << (NAME.ifMatch - 32)) |
  (1 << (NAME.ifUnmodifiedSince - 32)) |
  (1 << (NAME.ifRange - 32)) |
  (1 << (NAME.range - 32)) |
  (1 << (NAME.cacheControl - 32)) |
  (1 << (NAME.pragma - 32))

/** A request that says nothing to caches, on a route that changes nothing of what they answer. */
export function isPlain({ policy, parts }: RouteCache, x: Exchange): boolean {
  const { request } = x
  return (
    (request.presentHigh & SAYS_MORE) === 0 &&
    request.extra === "" &&
    x.method === "GET" &&
    x.requestBody === BODY_NONE &&
    x.upgrade === "" &&
    parts.plan.plain &&
    policy.bypass === null &&
    policy.encoder === null &&
    policy.refreshShare === 0
  )
}

/** The quick way for what is asked for most: a whole small body that is fresh, which this thread has seen before. False = look properly. */
export function plainHit({ store, time, policy }: RouteCache, question: Question, x: Exchange): boolean {
  const note = store.notes.get(question.groupOf(x) + question.restOf(x))
  if (note === undefined) return false
  const nowMs = time.clock.wall()
  if (nowMs >= note.freshUntilMs) return false
  const entry = store.memory.hold(note.place, note.generation)
  if (entry === null) return false
  const { bodyLength } = entry
  if (bodyLength > 0 && bodyLength <= WHOLE_BYTES_MAX && !entry.marked && give(x, entry, note, note.linesAt(nowMs, policy.status))) return true
  entry.release()
  return false
}

function give(x: Exchange, entry: MemoryEntry, note: Note, lines: string): boolean {
  const body = entry.piece(0, entry.bodyLength)
  const stored = note.stored as StoredResponse
  if (body.length !== entry.bodyLength || stored.part !== null) return false
  entry.touch()
  x.cacheResult = "hit"
  x.status = stored.status
  x.reason = stored.reason
  x.response.extra = lines
  x.responseBody = BODY_LENGTH
  x.responseLength = body.length
  x.localBody = body
  x.cached = entry
  // Behind the step that says what the cache did: the lines do.
  x.step = x.plan!.respondAt
  return true
}
