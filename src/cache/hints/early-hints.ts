import { type Exchange, NEXT, type Verdict, WAIT } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import { EntryReader } from "../entry-reader.ts"
import { requestValue } from "../key-parts.ts"
import { tellStatus } from "../passed.ts"
import { Question } from "../question.ts"
import { Relay } from "../relay.ts"
import type { RouteCache } from "../route-cache.ts"
import { variantUnder } from "../variants.ts"
import { parseResponseDirectives } from "../rules/cache-control.ts"
import { earlyHintLines } from "../rules/early-hints.ts"
import { variantKey, varyNames } from "../rules/vary.ts"
import { Key } from "../store/key.ts"
import { decodeHead, RESPONSE, type StoredHead, VARY_RULE } from "../stored.ts"

/** URLs whose links a thread remembers, for each route. */
const HINTS_MAX = 1024

/**
 * Sends 103 (Early Hints, RFC 8297) while a page has to be fetched: with the links of the stale response that is stored, or with those that its answer had last time. To clients
 * of HTTP/2 and HTTP/3 only: those of HTTP/1.1 may take it for the answer.
 */
export class EarlyHints {
  private readonly cache: RouteCache
  private readonly question: Question
  /** By group and rest of the key; the longest unused first. */
  private readonly remembered = new Map<string, string>()

  constructor(cache: RouteCache) {
    this.cache = cache
    this.question = new Question(cache.policy, cache.parts.destination)
  }

  /** The cache's step, and the hints if the page does not come from there. */
  look(x: Exchange): Verdict {
    const verdict = this.cache.look(x)
    if (x.version >= 20 && isFetched(x, verdict) && isPage(x)) this.send(x)
    return verdict
  }

  private send(x: Exchange): void {
    const key = this.keyOf(x)
    const lines = this.storedLines(x, key) || this.recall(key.text)
    if (lines !== "") x.onInterim(103, lines)
  }

  private keyOf(x: Exchange): Key {
    return new Key(this.question.groupOf(x), this.question.restOf(x))
  }

  private storedLines(x: Exchange, key: Key): string {
    const head = this.headOf(key)
    if (head === null) return ""
    if (head.kind === RESPONSE) return head.hints()
    if (head.kind !== VARY_RULE) return ""
    for (const names of head.sets) {
      const values = variantKey(names, name => requestValue(x, name))
      const variant = this.headOf(variantUnder(key, names, values))
      if (variant !== null && variant.kind === RESPONSE) return variant.hints()
    }
    return ""
  }

  private headOf(key: Key): StoredHead | null {
    const entry = this.cache.store.memory.find(key)
    if (entry === null) return null
    const head = entry.head.length === 0 ? null : decodeHead(entry.head)
    entry.release()
    return head
  }

  private recall(text: string): string {
    const lines = this.remembered.get(text)
    if (lines === undefined) return ""
    this.remembered.delete(text)
    this.remembered.set(text, lines)
    return lines
  }

  /** The step behind the response: remembers its links. */
  tell(x: Exchange): Verdict {
    this.learn(x)
    return tellStatus(x)
  }

  private learn(x: Exchange): void {
    if (x.method !== "GET" || x.status !== 200 || (x.cacheResult !== "miss" && x.cacheResult !== "revalidated")) return
    if (!isForAll(x)) return
    const lines = earlyHintLines(joinedValue(x, "link"))
    const { text } = this.keyOf(x)
    this.remembered.delete(text)
    if (lines === "") return
    if (this.remembered.size >= HINTS_MAX) this.remembered.delete(this.remembered.keys().next().value!)
    this.remembered.set(text, lines)
  }
}

/** It waits for a fetch, or goes upstream by itself: not what a rule keeps away from the cache. */
function isFetched(x: Exchange, verdict: Verdict): boolean {
  return verdict === WAIT || (verdict === NEXT && x.status === 0 && x.cacheResult !== "bypass")
}

/** Only a page that is navigated to has use for hints; browsers say what a request is for (Sec-Fetch-Mode of the Fetch standard). */
function isPage(x: Exchange): boolean {
  return x.method === "GET" && !x.request.has(NAME.range) && (x.request.find("sec-fetch-mode") ?? "navigate") === "navigate"
}

/**
 * Links may name what belongs to one user. What is stored is for all who ask, unless it varies; of what is not stored only that counts which nobody has said is private, and
 * which nobody known has asked for.
 */
function isForAll({ request, response, cached, up }: Exchange): boolean {
  const names = varyNames(response.joined(NAME.vary))
  if (names === null || names.some(name => name !== "accept-encoding")) return false
  if (cached !== null || up instanceof EntryReader) return true
  if (!(up instanceof Relay) || request.has(NAME.cookie) || request.has(NAME.authorization) || response.has(NAME.setCookie)) return false
  const { isPrivate, noStore } = parseResponseDirectives(response.joined(NAME.cacheControl))
  return !isPrivate && !noStore
}

function joinedValue({ response }: Exchange, name: string): string {
  const values: string[] = []
  for (let i = response.indexOfName(name); i >= 0; i = response.indexOfName(name, i + 1)) values.push(response.valueAt(i))
  return values.join(", ")
}
