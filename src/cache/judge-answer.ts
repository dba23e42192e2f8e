import { httpDate } from "../flow/index.ts"
import { type Fields, NAME } from "../http/index.ts"
import type { RouteCache } from "./route-cache.ts"
import { parseResponseDirectives } from "./rules/cache-control.ts"
import { FieldLines } from "./rules/field-lines.ts"
import { type Freshness, isForced } from "./rules/freshness.ts"
import { judgeStoring, type StoringVerdict } from "./rules/storing.ts"
import { directivesOf } from "./rules/targeted.ts"
import { storedFields } from "./rules/update.ts"
import { varyNames } from "./rules/vary.ts"
import type { StoredFacts } from "./stored.ts"

/** Said anew with each answer, or of another hop. */
const NOT_STORED = ["age", "alt-svc"]
/** Ours, and different for each client: what varies by them is for nobody else. */
const FORWARDING = new Set(["x-forwarded-for", "forwarded", "via", "x-real-ip"])

/** What was asked of the upstream. */
export interface Asked {
  readonly method: string
  /** Path and query as forwarded. */
  readonly path: string
  /** Absolute, where an answer to POST may be the target's own. Default: it is not. */
  readonly targetUri?: string
  /** As the client sent them. */
  readonly fields: Fields
  /** Wall clock. */
  readonly sentMs: number
  /** A part of it is stored, so that another may be the answer though the client has asked for none. Default: not. */
  readonly hasPart?: boolean
}

export interface Judged {
  readonly verdict: StoringVerdict
  readonly lines: FieldLines
  /** The names that Vary nominates. */
  readonly names: readonly string[]
  readonly facts: StoredFacts
}

/** What the rules say of an answer (RFC 9111 section 3), and what is to be kept of it. */
export function judgeAnswer(cache: RouteCache, asked: Asked, answer: { status: number; lines: FieldLines }): Judged {
  const { status, lines } = answer
  const get = (name: string): string => lines.get(name)
  const hasAuthorization = asked.fields.has(NAME.authorization)
  const hasCookie = asked.fields.has(NAME.cookie)
  // Where the operator says how long, what the server says of storing does not count at all.
  const forced = isForced(status, cache.policy.storing.freshness, hasAuthorization || hasCookie)
  const directives = forced ? parseResponseDirectives("") : directivesOf(get)
  const responseMs = cache.time.clock.wall()
  const request = {
    method: asked.method,
    path: asked.path,
    targetUri: asked.targetUri ?? "",
    hasRange: asked.fields.has(NAME.range) || asked.hasPart === true,
    directives: cache.directivesOfFields(asked.fields),
    hasAuthorization,
    hasCookie,
    hasBody: asked.method === "QUERY",
    keyedByBody: true,
  }
  let verdict = judgeStoring(request, { status, directives, get, requestMs: asked.sentMs, responseMs }, cache.policy.storing)
  const names = varyNames(get("vary"))
  if (verdict.store && (names === null || names.some(name => FORWARDING.has(name))))
    verdict = { ...verdict, store: false, reason: "vary-star", remember: true }
  const rest = { responseMs, requestMs: asked.sentMs, immutable: directives.immutable, vary: (names ?? []).join(",") }
  return { verdict, lines, names: names ?? [], facts: { status, ...rest, ...timesOf(verdict.freshness) } }
}

function timesOf(freshness: Freshness): Pick<StoredFacts, "initialAgeMs" | "lifetimeMs" | "swrMs" | "sieMs" | "mustRevalidate" | "noCache"> {
  return {
    initialAgeMs: freshness.initialAgeMs,
    lifetimeMs: freshness.lifetimeMs,
    swrMs: freshness.staleWhileRevalidateMs,
    sieMs: freshness.staleIfErrorMs,
    mustRevalidate: freshness.mustRevalidate,
    noCache: freshness.noCache,
  }
}

/** Fields as they are kept: without those of the connection and those that the rules take out, with a Date (RFC 9110 section 6.6.1). */
export function keptLines(lines: FieldLines, without: readonly string[]): string {
  const kept = storedFields(lines, [...NOT_STORED, ...without])
  return kept.has("date") ? kept.render() : `${kept.render()}Date: ${httpDate()}\r\n`
}

/** Fields of a part, or of the whole that parts have given: `range` "" = the whole. */
export function partLines(kept: string, range: string, length: number): string {
  const others = FieldLines.parse(kept)
    .without(new Set(["content-range", "content-length"]))
    .render()
  return `${others}${range === "" ? "" : `Content-Range: ${range}\r\n`}Content-Length: ${length}\r\n`
}
