import { log } from "../../base/index.ts"
import type { Exchange, Verdict } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import { DiskLook } from "../disk-look.ts"
import type { RouteCache } from "../route-cache.ts"
import { ENTRY_COMPLETE } from "../store/contract.ts"
import type { Key } from "../store/key.ts"
import { decodeHead, encodePassRule, PASS_RULE } from "../stored.ts"
import { plainKey } from "../variants.ts"
import { KnownSlices } from "./known-slices.ts"
import { SliceAnswer } from "./slice-answer.ts"
import { sliceKey, sliceRuleKey } from "./slice-scope.ts"

/** How long it is remembered that a server does not do what slices need. */
const NONE_MS = 600_000
/** Slices that are looked for before an answer is called a hit; one of more is none. */
const LOOKED_FOR_MAX = 1024
/** What an entry has beside a slice: key, head and labels. */
const BESIDE_BYTES = 64 * 1024

/** Large bodies of one route, cut into ranges that are fetched and stored each by itself (what nginx calls slices). */
export class Slices {
  readonly cache: RouteCache
  readonly sliceBytes: number
  readonly known: KnownSlices

  private constructor(cache: RouteCache, sliceBytes: number) {
    this.cache = cache
    this.sliceBytes = sliceBytes
    this.known = new KnownSlices(cache.store.memory)
  }

  /** null = the route has none, or no slice would fit into its store. */
  static of(cache: RouteCache): Slices | null {
    const { sliceBytes } = cache.policy
    if (sliceBytes === 0) return null
    const { memory, disk, name } = cache.store
    if (disk !== null || sliceBytes + BESIDE_BYTES <= memory.entryBytesMax) return new Slices(cache, sliceBytes)
    log.warn("cache", "slices are larger than an entry of the store may be: bodies are not cut", { store: name, entryBytesMax: memory.entryBytesMax })
    return null
  }

  /** For a GET of what is not stored as a whole. null = it goes its way without slices. */
  answer(x: Exchange, key: Key, looks: number): Verdict | null {
    const { cache } = this
    const { memory, disk } = cache.store
    // Credentials make the answer this user's own unless it says otherwise: nobody else waits for it. Several ranges are not put together here.
    if (x.method !== "GET" || x.request.has(NAME.authorization) || x.request.joined(NAME.range).includes(",")) return null
    const directives = cache.directivesOf(x)
    const anchor = sliceKey(key, this.anchorOf(x))
    if (directives.noStore) return null
    if (this.known.has(anchor)) return new SliceAnswer(this, x, key, looks).begin()
    if (this.hasNone(key)) return null
    if (disk?.mayHave(key) === true) {
      // Small ones are stored as a whole.
      const writer = memory.begin(key, true)
      return writer === null ? null : new DiskLook(cache, x, key, { writer, looks }).begin(0)
    }
    if (cache.policy.minUses > 1 && !directives.onlyIfCached && !this.isStored(anchor)) {
      if (!cache.store.usedOften(key, cache.policy.minUses)) return cache.pass(x, "pass", "min-uses")
    }
    return new SliceAnswer(this, x, key, looks).begin()
  }

  /** The slice that a request begins with, 0 where that is not known without the length. */
  anchorOf(x: Exchange): number {
    return Math.max(0, Math.floor(this.firstOf(x) / this.sliceBytes))
  }

  /** The first octet of the range that a request asks for, -1 = it names none. */
  firstOf({ request }: Exchange): number {
    const first = request.has(NAME.range) ? /^bytes=(\d{1,15})-/i.exec(request.joined(NAME.range)) : null
    return first === null ? -1 : Number(first[1])
  }

  /** Whether these slices are there, `last` included; more than LOOKED_FOR_MAX are not. */
  areStored(key: Key, first: number, last: number): boolean {
    if (last - first >= LOOKED_FOR_MAX) return false
    for (let number = first; number <= last; number++) if (!this.isStored(sliceKey(key, number))) return false
    return true
  }

  private isStored(key: Key): boolean {
    const { memory, disk } = this.cache.store
    const entry = memory.find(key)
    if (entry === null) return disk?.mayHave(key) === true
    const { state } = entry
    entry.release()
    return state === ENTRY_COMPLETE
  }

  /** Remembers for all workers that what is at this URL cannot be had in slices. */
  noteNone(key: Key): void {
    const { store, time } = this.cache
    const rule = store.memory.begin(sliceRuleKey(plainKey(key)), true)
    if (rule === null) return
    if (rule.setHead(encodePassRule("no-slices", time.clock.wall() + NONE_MS), 0, [])) rule.complete()
    rule.release()
  }

  private hasNone(key: Key): boolean {
    const { store, time } = this.cache
    const entry = store.memory.find(sliceRuleKey(plainKey(key)))
    if (entry === null) return false
    const rule = entry.state === ENTRY_COMPLETE ? decodeHead(entry.head) : null
    entry.release()
    return rule?.kind === PASS_RULE && rule.untilMs > time.clock.wall()
  }
}
