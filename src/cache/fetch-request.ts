import { acquireExchange, type Exchange, type Plan } from "../flow/index.ts"
import { BODY_NONE, type Downstream, Fields, NAME } from "../http/index.ts"
import { giveBody } from "./query-body.ts"
import type { Asked } from "./judge-answer.ts"
import type { StoredResponse } from "./stored.ts"

/**
 * Fields by which some applications take another method, path or host than the request's own. What answers to them would be stored under the URL that was asked
 * for, and everybody would get it: they are for no fetch of the cache, unless they are part of the key.
 */
const OVERRIDES: readonly string[] = [
  ...["x-original-url", "x-rewrite-url", "x-original-uri", "x-forwarded-uri", "x-forwarded-path"],
  ...["x-http-method-override", "x-http-method", "x-method-override"],
  ...["x-host", "x-forwarded-server", "x-forwarded-scheme", "x-forwarded-ssl", "x-url-scheme", "front-end-https"],
]

/** Takes out what would change the answer and is no part of the key. `keyed`: the names that are, lower case. */
export function dropOverrides(f: Exchange, keyed: readonly string[]): void {
  const { request } = f
  for (let i = 0; i < OVERRIDES.length; i++) if (!keyed.includes(OVERRIDES[i]!)) request.removeName(OVERRIDES[i]!)
}

/** The exchange that fetches for `x`: the same request, on a plan that knows no client, with `down` in the client's place. */
export function fetchFor(x: Exchange, plan: Plan, down: Downstream): Exchange {
  const f = acquireExchange()
  f.plan = plan
  f.snapshot = x.snapshot
  f.listener = x.listener
  f.down = down
  f.clientAddress = x.clientAddress
  f.peerAddress = x.peerAddress
  f.user = x.user
  f.method = x.method
  f.scheme = x.scheme
  f.host = x.host
  f.authority = x.authority
  f.port = x.port
  f.path = x.path
  f.rulePath = x.rulePath
  f.query = x.query
  f.version = x.version
  f.forwardForm = x.forwardForm
  f.encodedSlash = x.encodedSlash
  f.startedAt = x.pump.now()
  f.request.copyFrom(x.request)
  f.requestBody = BODY_NONE
  f.requestLength = 0
  giveBody(x, f)
  for (let i = 0; i < x.slots.length; i++) f.slots[i] = x.slots[i]
  return f
}

/** What is asked of the upstream, of a client's request. */
export function askedBy(x: Exchange, nowMs: number): Asked {
  const fields = new Fields()
  fields.copyFrom(x.request)
  return { method: x.method, path: x.path + x.query, fields, sentMs: nowMs }
}

/** Tells a client's exchange of the way upstream what its log is to say. */
export function tellWay(f: Exchange, x: Exchange): void {
  x.peerName = f.peerName
  x.attempts = f.attempts
  x.connectedAt = f.connectedAt
  x.sentAt = f.sentAt
  x.headAt = f.headAt
  x.reused = f.reused
}

/** Asks for the whole: what is stored must not depend on what this client has already (RFC 9111 section 4.3.1). */
export function askForAll(f: Exchange): void {
  const { request } = f
  request.remove(NAME.ifNoneMatch)
  request.remove(NAME.ifModifiedSince)
  request.remove(NAME.ifRange)
  request.remove(NAME.range)
}

/** Asks for what is missing behind a stored part, or for all of it if that is not the same any more (RFC 9110 section 13.1.5). */
export function askForRest(f: Exchange, { part, etag }: StoredResponse): void {
  askForAll(f)
  f.request.append("Range", `bytes=${part!.last + 1}-`)
  f.request.append("If-Range", etag)
}

/** Asks whether what is stored still holds (RFC 9111 section 4.3.1). False = it has nothing to ask by. */
export function askIfChanged(f: Exchange, stored: StoredResponse): boolean {
  askForAll(f)
  // `*` is no tag, and would mean any (RFC 9110 section 13.1.2).
  if (stored.etag !== "" && stored.etag !== "*") f.request.append("If-None-Match", stored.etag)
  if (stored.lastModified !== "") f.request.append("If-Modified-Since", stored.lastModified)
  return stored.etag !== "" || stored.lastModified !== ""
}
