/**
 * A shared cache as RFC 9111 describes it, written from the text for clarity alone and without the code under test: which response may be stored, for how long it is fresh,
 * and which stored response may answer which request. Fields are by lower-case name; times in ms.
 */
export type FieldMap = Readonly<Record<string, string>>

/** What an origin was asked and answered. */
export interface Exchanged {
  readonly n: number
  /** Who asked: the id of the client's request that made the proxy ask. */
  readonly asker: string
  readonly path: string
  readonly method: string
  readonly request: FieldMap
  /** When the origin read the request. */
  readonly readAt: number
  readonly readSeq: number
  status: number
  response: FieldMap
  /** When it began to answer; -1 = not yet. */
  headAt: number
  headSeq: number
  content: Content | null
}

/** One representation: what a URL gives to one kind of request from one moment to another. */
export interface Content {
  readonly id: string
  readonly length: number
  readonly etag: string
  readonly lastModified: string
}

export interface Asked {
  readonly id: string
  readonly path: string
  readonly method: string
  readonly request: FieldMap
  readonly at: number
  readonly seq: number
}

/** What the operator has set where a response says nothing itself. */
export interface ModelPolicy {
  readonly swrMs: number
  readonly sieMs: number
}

/** Directives of a Cache-Control value; those without an argument are true. */
export function directives(value = ""): Readonly<Record<string, number | true>> {
  const found: Record<string, number | true> = {}
  for (const part of value.split(",")) {
    const [name, argument] = part.trim().toLowerCase().split("=")
    if (name !== "") found[name!] = argument === undefined ? true : Number(argument)
  }
  return found
}

function seconds(of: Readonly<Record<string, number | true>>, name: string): number | null {
  const value = of[name]
  return value === undefined ? null : value === true ? Number.POSITIVE_INFINITY : value * 1000
}

const HEURISTIC = new Set([200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501])

/** Why a response must not be stored by a shared cache (section 3; section 7.3 for cookies); "" = it may be. */
export function whyNotStored({ method, request, status, response }: Exchanged): string {
  const said = directives(response["cache-control"])
  if (method !== "GET") return "method"
  if (directives(request["cache-control"])["no-store"]) return "no-store of the request"
  if (said["no-store"]) return "no-store"
  if (said.private) return "private"
  if (request.authorization !== undefined && !said.public && !said["must-revalidate"] && said["s-maxage"] === undefined) return "Authorization"
  if (response["set-cookie"] !== undefined && !said.public) return "Set-Cookie"
  const isExplicit = said["max-age"] !== undefined || said["s-maxage"] !== undefined || response.expires !== undefined
  if (response.vary === "*") return "Vary: *"
  if (request.cookie !== undefined && !isExplicit && !said.public && !said["no-cache"]) return "Cookie"
  if (!isExplicit && !said.public && !HEURISTIC.has(status)) return "nothing allows it"
  return ""
}

/** A response as it is stored, with what a 304 has said since (section 4.3.4). */
export interface Stored {
  readonly first: Exchanged
  readonly validation: Exchanged | null
  readonly response: FieldMap
  /** The last time that the origin spoke for it. */
  readonly last: Exchanged
}

export function storedOf(first: Exchanged, validation: Exchanged | null): Stored {
  return { first, validation, response: { ...first.response, ...validation?.response }, last: validation ?? first }
}

/** Section 4.2.1 and 4.2.2. */
export function lifetimeMs({ response, first, last }: Stored): number {
  const said = directives(response["cache-control"])
  const shared = seconds(said, "s-maxage") ?? seconds(said, "max-age")
  if (shared !== null) return shared
  if (response.expires !== undefined) return Math.max(0, Date.parse(response.expires) - (Date.parse(response.date ?? "") || last.headAt))
  // Not for what may be one user's: the request for which the origin spoke last had no credentials.
  if (said["no-cache"] || last.request.authorization !== undefined || last.request.cookie !== undefined) return 0
  if (response["last-modified"] === undefined || (!HEURISTIC.has(first.status) && !said.public)) return 0
  return Math.max(0, (Date.parse(response.date ?? "") || last.headAt) - Date.parse(response["last-modified"])) / 10
}

/** Section 4.2.3, as seen by a cache that asked when the origin read. */
export function ageMs({ last }: Stored, at: number): number {
  return Number(last.response.age ?? 0) * 1000 + at - last.readAt
}

/** Section 4.1. */
export function isVariantFor({ first, response }: Stored, request: FieldMap): boolean {
  const names = (response.vary ?? "").toLowerCase().split(",")
  return names.every(name => (first.request[name.trim()] ?? "") === (request[name.trim()] ?? ""))
}

export interface Circumstances {
  readonly policy: ModelPolicy
  /** Somebody has marked it as stale since. */
  readonly marked: boolean
  /** The origin has failed since the request came, or lately enough for the cache to know. */
  readonly failed: boolean
}

/** Whoever asked before the origin answered has as new an answer as if it had been for him alone. */
export function isCollapsed({ last }: Stored, { seq, at }: Asked): boolean {
  return last.headSeq > seq || last.headAt === at
}

/** Why a stored response must not answer a request that came at `asked.at` (sections 4, 4.2.4, 5.2; RFC 5861); "" = it may. Only for the kind of its method and URL. */
export function whyNotReused(stored: Stored, asked: Asked, { policy, marked, failed }: Circumstances): string {
  if (!isVariantFor(stored, asked.request)) return "another variant"
  const said = directives(stored.response["cache-control"])
  const wanted = directives(asked.request["cache-control"])
  const age = ageMs(stored, asked.at)
  const lifetime = said["no-cache"] ? 0 : lifetimeMs(stored)
  const staleFor = Math.max(0, age - lifetime)
  const onError = Math.max(seconds(said, "stale-if-error") ?? policy.sieMs, seconds(wanted, "stale-if-error") ?? 0)
  const isStrict = said["must-revalidate"] === true || said["proxy-revalidate"] === true || said["no-cache"] === true
  // A failure is worse than what is older than the client would like.
  if (failed && !said["no-cache"] && !wanted["no-cache"] && age < lifetime && !marked) return ""
  if (failed && !isStrict && said["s-maxage"] === undefined && !wanted["no-cache"] && staleFor < onError) return ""
  if (said["no-cache"] || wanted["no-cache"]) return "no-cache"
  const isTooOld = age > (seconds(wanted, "max-age") ?? Number.POSITIVE_INFINITY)
  if (age < lifetime && !marked) {
    if (isTooOld && said.immutable === undefined) return "older than the client's max-age"
    return lifetime - age < (seconds(wanted, "min-fresh") ?? 0) ? "less fresh than min-fresh" : ""
  }
  const maxStale = seconds(wanted, "max-stale")
  if (wanted["min-fresh"] !== undefined || isTooOld) return "stale, and the client wants it fresh"
  if (maxStale !== null && !marked && !isStrict && said["s-maxage"] === undefined && staleFor <= maxStale) return ""
  const swr = isStrict ? 0 : (seconds(said, "stale-while-revalidate") ?? (said["s-maxage"] === undefined ? policy.swrMs : 0))
  return staleFor < swr && (wanted["max-age"] === undefined || maxStale !== null) ? "" : "stale"
}
