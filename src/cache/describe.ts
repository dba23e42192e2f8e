import { labelsOf } from "./labels.ts"
import { FieldLines } from "./rules/field-lines.ts"
import { ageSeconds, currentAgeMs, ttlSeconds } from "./rules/reuse.ts"
import type { StoredFacts } from "./store/contract.ts"
import { decodeHead, PASS_RULE, RESPONSE, type StoredHead, VARY_RULE } from "./stored.ts"

/** An entry as the admin API shows it. */
export interface EntryFacts {
  readonly url: string
  /** What tells it apart from others of this URL: destination, parts of the key, names and values of Vary. */
  readonly key: string
  /** `vary-rule`: says which fields tell the variants apart; `pass-rule`: says that the URL is not to be stored; `disk-rule`: that it is on disk only. */
  readonly kind: "response" | "vary-rule" | "pass-rule" | "disk-rule"
  /** 0 for rules. */
  readonly status: number
  readonly bytes: number
  /** Seconds. */
  readonly age: number
  /** Seconds that are left, negative = stale for so long. */
  readonly ttl: number
  readonly state: "fresh" | "stale" | "marked"
  readonly tier: "memory" | "disk"
  readonly tags: readonly string[]
  readonly vary: string
  /** Why a pass rule is there, "" for others. */
  readonly reason: string
  /** Field lines, as stored; "" for rules. */
  readonly head: string
}

/** null = it has no head that this version can read. */
export function describeEntry(facts: StoredFacts, nowMs: number): EntryFacts | null {
  const stored = decodeHead(facts.head)
  if (stored === null) return null
  const named = {
    url: facts.group,
    key: facts.key.substring(facts.group.length).replaceAll("\n", " ").replaceAll("\0", " | ").trim(),
    bytes: facts.head.length + Math.max(0, facts.bodyLength),
    tier: facts.tier,
  }
  return stored.kind === RESPONSE ? { ...named, ...responseFacts(stored, facts.marked, nowMs) } : { ...named, ...ruleFacts(stored, nowMs) }
}

type Rest = Omit<EntryFacts, "url" | "key" | "bytes" | "tier">

function responseFacts(stored: Extract<StoredHead, { kind: typeof RESPONSE }>, marked: boolean, nowMs: number): Rest {
  const ttl = ttlSeconds(stored, nowMs)
  return {
    kind: "response",
    status: stored.status,
    age: ageSeconds(stored, nowMs),
    ttl,
    // In its last second it is fresh with a ttl of 0.
    state: marked ? "marked" : currentAgeMs(stored, nowMs) < stored.lifetimeMs ? "fresh" : "stale",
    tags: labelsOf(FieldLines.parse(stored.lines)),
    vary: stored.vary,
    reason: "",
    head: stored.lines,
  }
}

function ruleFacts(rule: Exclude<StoredHead, { kind: typeof RESPONSE }>, nowMs: number): Rest {
  const isPass = rule.kind === PASS_RULE
  const kind = isPass ? "pass-rule" : rule.kind === VARY_RULE ? "vary-rule" : "disk-rule"
  const ttl = isPass ? Math.round((rule.untilMs - nowMs) / 1000) : 0
  return {
    kind,
    status: 0,
    age: 0,
    ttl,
    state: isPass && ttl <= 0 ? "stale" : "fresh",
    tags: [],
    vary: rule.kind !== VARY_RULE ? "" : rule.sets.map(names => names.join(", ")).join("; "),
    reason: isPass ? rule.reason : "",
    head: "",
  }
}
