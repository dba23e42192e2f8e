// HOT
import { assert, FAULT } from "../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Plan, type Step, type Verdict } from "../flow/index.ts"
import { type Fields, isStrongTag, NAME, type Time } from "../http/index.ts"
import { serveFromPart, serveStored } from "./answer.ts"
import type { DiskHandle } from "./disk-handle.ts"
import { DiskLook } from "./disk-look.ts"
import { Fetch } from "./fetch.ts"
import { requestValue } from "./key-parts.ts"
import { isPlain, plainHit } from "./plain-hit.ts"
import { type HeldPart, partKey } from "./parts.ts"
import type { CachePolicy } from "./policy.ts"
import { purgeByMethod } from "./purge-method.ts"
import { QueryBody } from "./query-body.ts"
import { Question } from "./question.ts"
import { parseRequestDirectives, type RequestDirectives } from "./rules/cache-control.ts"
import { FRESH, judgeReuse, mayServeOnError, STALE_OK, STALE_WHILE_REVALIDATE, type ReuseVerdict } from "./rules/reuse.ts"
import { refresh, refreshAhead } from "./refresh.ts"
import { Slices } from "./slices/slices.ts"
import { ENTRY_COMPLETE, ENTRY_FAILED, ENTRY_FILLING, ENTRY_PENDING, type MemoryEntry } from "./store/contract.ts"
import { hashOfGroup, Key } from "./store/key.ts"
import type { CacheStore } from "./cache-store.ts"
import { decodeHead, DISK_RULE, PASS_RULE, RESPONSE, type StoredHead, type StoredResponse, VARY_RULE } from "./stored.ts"
import { variantOf } from "./variants.ts"
import { Wait } from "./wait.ts"

/** Times that one request looks again before it goes by itself. */
const LOOKS_MAX = 8
/** How far the times of two threads may be apart. */
const CLOCKS_APART_MS = 1000
const NO_DIRECTIVES: RequestDirectives = parseRequestDirectives("", "")
export interface RouteCacheParts {
  readonly policy: CachePolicy
  readonly store: CacheStore
  readonly time: Time
  /** Tells apart what different upstreams, or listeners that say different things, answer to the same URL. */
  readonly destination: string
  /** Index of the step behind which a response of the cache goes on: one before the plan's `respondAt`. Known when the plan is whole. */
  /** Told of each exchange at its end. */
  readonly count: (x: Exchange) => void
  readonly plan: { respondAt: number; fetch: Plan | null; plain: boolean }
}

/** The cache of one route in one thread: what to do with a request, and who works for it. */
export class RouteCache {
  readonly policy: CachePolicy
  readonly store: CacheStore
  readonly time: Time
  readonly parts: RouteCacheParts
  readonly question: Question
  private readonly slices: Slices | null

  constructor(parts: RouteCacheParts) {
    this.parts = parts
    this.policy = parts.policy
    this.store = parts.store
    this.time = parts.time
    this.question = new Question(parts.policy, parts.destination)
    this.slices = Slices.of(this)
  }

  /** POSTs under way, whose answers may be stored: purges of their URL when they came. */
  readonly posts = new Map<Exchange, number>()

  purgesOf(x: Exchange): number {
    return this.store.memory.purges(hashOfGroup(this.question.groupOf(x)))
  }

  /** The step: hit, wait, or on to the peer. */
  readonly look: Step = (x: Exchange): Verdict => {
    if (isPlain(this, x) && plainHit(this, this.question, x)) return NEXT
    if (this.policy.purgers !== null && x.method === "PURGE") return purgeByMethod(x, this.question.groupOf(x), this.policy, this.store)
    const why = this.question.whyNot(x)
    if (x.method === "POST") this.posts.set(x, this.purgesOf(x))
    if (why !== "") return this.pass(x, "bypass", why)
    if (x.method === "QUERY") return new QueryBody(this, x).begin()
    const group = this.question.groupOf(x)
    const rest = this.question.restOf(x)
    const note = this.store.notes.get(group + rest)
    if (note !== undefined) {
      const entry = this.store.memory.hold(note.place, note.generation)
      if (entry !== null) return this.use(x, note.key, entry, note.stored, 0)
      this.store.notes.delete(group + rest)
    }
    return this.lookUp(x, new Key(group, rest), 0)
  }

  directivesOf(x: Exchange): RequestDirectives {
    const { request } = x
    if (!request.has(NAME.cacheControl) && !request.has(NAME.pragma) && request.extra === "") return NO_DIRECTIVES
    return parseRequestDirectives(requestValue(x, "cache-control"), requestValue(x, "pragma"))
  }

  /** The directives of a request whose exchange may be over. */
  directivesOfFields(fields: Fields): RequestDirectives {
    if (!fields.has(NAME.cacheControl) && !fields.has(NAME.pragma)) return NO_DIRECTIVES
    return parseRequestDirectives(fields.joined(NAME.cacheControl), fields.joined(NAME.pragma))
  }

  get noDirectives(): RequestDirectives {
    return NO_DIRECTIVES
  }

  /** Why a request went upstream, as Cache-Status has it (RFC 9211 section 2.2). */
  forwardWord(x: Exchange): string {
    return x.request.has(NAME.range) ? "partial" : "uri-miss"
  }

  /** Goes on to the peer without the cache. */
  pass(x: Exchange, result: string, reason: string): Verdict {
    x.cacheResult = result
    x.cacheReason = reason
    return NEXT
  }

  /** Looks in the store; `looks` counts how often this request has. */
  lookUp(x: Exchange, key: Key, looks: number): Verdict {
    if (looks >= LOOKS_MAX) return this.pass(x, "pass", "busy")
    const entry = this.store.memory.find(key)
    if (entry === null) return this.miss(x, key, looks)
    const { state } = entry
    if (state === ENTRY_PENDING || this.growsElsewhere(entry)) return x.method === "HEAD" ? this.leave(x, entry) : this.wait(x, key, entry, looks)
    if (state === ENTRY_FAILED) {
      entry.release()
      return this.miss(x, key, looks)
    }
    const stored = decodeHead(entry.head)
    if (stored === null) return this.leave(x, entry)
    if (state === ENTRY_COMPLETE && stored.kind !== PASS_RULE) this.store.note(key, entry, stored)
    return this.use(x, key, entry, stored, looks)
  }

  /** A body of unknown length may yet turn out too long for the store: who is not in the thread that fetches it waits for the whole. */
  growsElsewhere(entry: MemoryEntry): boolean {
    return entry.state === ENTRY_FILLING && entry.bodyLength < 0 && !this.store.isFetchedHere(entry)
  }

  private leave(x: Exchange, entry: MemoryEntry): Verdict {
    entry.release()
    return this.pass(x, "miss", "")
  }

  /** What an entry means for this request. It is held, and given back or handed on here. */
  private use(x: Exchange, key: Key, entry: MemoryEntry, stored: StoredHead, looks: number): Verdict {
    if (stored.kind === RESPONSE) return this.useResponse(x, key, entry, stored, looks)
    entry.touch()
    entry.release()
    if (stored.kind === VARY_RULE) return this.useVariants(x, key, stored.sets, looks)
    if (stored.kind === DISK_RULE) return this.lookOnDisk(x, key, stored.ticket, looks)
    if (stored.untilMs <= this.time.clock.wall()) return this.miss(x, key, looks, true)
    return this.directivesOf(x).onlyIfCached ? this.notCached(x, null) : this.pass(x, "pass", stored.reason)
  }

  private useResponse(x: Exchange, key: Key, entry: MemoryEntry, stored: StoredResponse, looks: number): Verdict {
    const nowMs = this.time.clock.wall()
    const directives = this.directivesOf(x)
    stored.marked = entry.marked
    // Who waited for this answer asked before it was given: it is as new as theirs would be (RFC 9111 section 4, collapsed requests).
    const waited = looks > 0 && stored.responseMs >= nowMs - (this.time.clock.now() - x.startedAt)
    const verdict: ReuseVerdict = waited ? FRESH : judgeReuse(stored, directives, nowMs)
    if (verdict === FRESH || verdict === STALE_OK || verdict === STALE_WHILE_REVALIDATE) {
      if (verdict === STALE_WHILE_REVALIDATE) refresh(this, x, key, entry)
      else if (this.policy.refreshShare > 0 && verdict === FRESH) refreshAhead(this, x, key, entry, stored)
      return serveStored(this, x, entry, stored, verdict === FRESH ? (this.wasFetchedFor(x, stored) ? "coalesced" : "hit") : "stale")
    }
    if (directives.onlyIfCached) return this.notCached(x, entry)
    // A stored response is updated by the answer to HEAD, when that has passed.
    if (x.method === "HEAD") return this.leave(x, entry)
    return this.revalidate(x, key, entry, stored, looks)
  }

  /** Whether this request waited for the fetch that this came by; and not for what came up from disk. Threads read their clocks once a turn. */
  private wasFetchedFor(x: Exchange, stored: StoredResponse): boolean {
    const { clock } = this.time
    return x.cacheResult === "coalesced" && stored.responseMs + CLOCKS_APART_MS >= clock.wall() - (clock.now() - x.startedAt)
  }

  private useVariants(x: Exchange, key: Key, sets: readonly (readonly string[])[], looks: number): Verdict {
    let variant: Key | null = null
    for (let i = 0; i < sets.length; i++) {
      const candidate = variantOf(x, key, sets[i]!)
      variant ??= candidate
      if (sets.length === 1) break
      const entry = this.store.memory.find(candidate)
      if (entry === null) continue
      entry.release()
      variant = candidate
      break
    }
    assert(variant !== null, "a variant rule names fields")
    const note = this.store.notes.get(variant.text)
    const entry = note === undefined ? null : this.store.memory.hold(note.place, note.generation)
    if (entry !== null) return this.use(x, variant, entry, note!.stored, looks)
    return this.lookUp(x, variant, looks)
  }

  keyOf(x: Exchange): Key {
    return new Key(this.question.groupOf(x), this.question.restOf(x))
  }

  /** Nothing that could be used is stored. `replace`: a rule that has lapsed is there. */
  private miss(x: Exchange, key: Key, looks: number, replace = false): Verdict {
    return this.slices?.answer(x, key, looks) ?? this.missWhole(x, key, looks, replace)
  }

  /** The same where it is not cut into slices. */
  missWhole(x: Exchange, key: Key, looks: number, replace: boolean): Verdict {
    const directives = this.directivesOf(x)
    if (directives.onlyIfCached) return this.notCached(x, null)
    if (x.method === "HEAD") return this.pass(x, "miss", "")
    if (directives.noStore) return this.pass(x, "bypass", "request-no-store")
    if (x.request.has(NAME.range)) return this.missPart(x, key, directives)
    if (!this.store.usedOften(key, this.policy.minUses)) return this.pass(x, "pass", "min-uses")
    // Credentials make the answer this user's own unless it says otherwise: nobody else waits for it.
    if (x.request.has(NAME.authorization) || this.policy.coalesceMs === 0) return Fetch.alone(this, x, key, null)
    const writer = this.store.memory.begin(key, replace)
    if (writer !== null) return this.lead(x, key, writer, looks)
    const other = this.store.memory.pending(key)
    if (other !== null) return this.wait(x, key, other, looks)
    return Fetch.alone(this, x, key, null)
  }

  /** The first to ask for what is not in memory: it may be on disk. */
  private lead(x: Exchange, key: Key, writer: MemoryEntry, looks: number): Verdict {
    const { disk } = this.store
    if (disk?.mayHave(key) === true) return new DiskLook(this, x, key, { writer, looks }).begin(0)
    return this.fetchInto(x, key, writer)
  }

  fetchInto(x: Exchange, key: Key, writer: MemoryEntry): Verdict {
    return Fetch.lead(this, x, key, writer, this.startOf(key))
  }

  /** Memory says that it is on disk. */
  private lookOnDisk(x: Exchange, key: Key, ticket: number, looks: number): Verdict {
    if (this.store.disk === null) return this.miss(x, key, looks, true)
    return new DiskLook(this, x, key, { writer: null, looks }).begin(ticket)
  }

  /** What an entry on disk means for this request. It is held, and given back or handed on here. */
  useOnDisk(x: Exchange, key: Key, entry: DiskHandle, stored: StoredResponse): Verdict {
    const nowMs = this.time.clock.wall()
    const directives = this.directivesOf(x)
    const verdict = judgeReuse(stored, directives, nowMs)
    if (verdict === FRESH) return serveStored(this, x, entry, stored, "hit")
    if (verdict === STALE_OK) return serveStored(this, x, entry, stored, "stale")
    if (verdict === STALE_WHILE_REVALIDATE) {
      const writer = this.store.memory.begin(key, true)
      if (writer !== null) Fetch.backgroundFromDisk(this, x, key, writer)
      return serveStored(this, x, entry, stored, "stale")
    }
    if (directives.onlyIfCached || x.method === "HEAD") {
      entry.release()
      return directives.onlyIfCached ? this.notCached(x, null) : this.pass(x, "miss", "")
    }
    const writer = this.store.memory.begin(key, true)
    if (writer !== null) return Fetch.leadFrom(this, x, key, writer, entry, stored)
    return Fetch.aloneFrom(this, x, key, entry, stored)
  }

  /** A range of what is not stored as a whole: of a part that is, or from upstream, where it joins that part. */
  private missPart(x: Exchange, key: Key, directives: RequestDirectives): Verdict {
    const part = this.heldPart(key)
    if (part !== null && judgeReuse(part.stored, directives, this.time.clock.wall()) === FRESH && serveFromPart(this, x, part)) return NEXT
    if (part === null && !this.store.usedOften(key, this.policy.minUses)) return this.pass(x, "pass", "min-uses")
    return Fetch.alone(this, x, key, part)
  }

  private heldPart(key: Key): HeldPart | null {
    const entry = this.store.memory.find(partKey(key))
    if (entry === null) return null
    const stored = entry.state === ENTRY_COMPLETE ? decodeHead(entry.head) : null
    if (stored !== null && stored.kind === RESPONSE && stored.part !== null) {
      stored.marked = entry.marked
      return { entry, stored }
    }
    entry.release()
    return null
  }

  /** A stored part that begins at the beginning: only the rest has to come, if it is still the same (RFC 9111 section 3.4). */
  private startOf(key: Key): HeldPart | null {
    const part = this.heldPart(key)
    if (part === null) return null
    const { first, last, length } = part.stored.part!
    if (first === 0 && length > last + 1 && isStrongTag(part.stored.etag)) return part
    part.entry.release()
    return null
  }

  private notCached(x: Exchange, entry: MemoryEntry | null): Verdict {
    entry?.release()
    x.cacheResult = "miss"
    x.cacheReason = "only-if-cached"
    x.fault = FAULT.notCached
    return FAULT_VERDICT
  }

  /** Waits until an entry that somebody fills has a head, or more. */
  private wait(x: Exchange, key: Key, entry: MemoryEntry, looks: number): Verdict {
    return new Wait(this, x, key, entry, looks).begin()
  }

  /** Asks upstream whether what is stored still holds. One does, others wait for what comes of it. */
  private revalidate(x: Exchange, key: Key, entry: MemoryEntry, stored: StoredResponse, looks: number): Verdict {
    const ending = this.store.endingSince(key, x)
    if (ending !== null && ending.fault !== null) {
      x.cacheReason = "error"
      if (mayServeOnError(stored, this.directivesOf(x), this.time.clock.wall())) return serveStored(this, x, entry, stored, "stale")
      entry.release()
      x.cacheResult = "miss"
      x.fault = ending.fault
      return FAULT_VERDICT
    }
    if (entry.state !== ENTRY_COMPLETE) {
      // It grows still and is stale already: nothing comes of waiting for it, and nobody knows yet whether it will ever be whole.
      entry.release()
      return Fetch.alone(this, x, key, null)
    }
    if (ending !== null || x.request.has(NAME.authorization) || this.policy.coalesceMs === 0) return Fetch.aloneFrom(this, x, key, entry, stored)
    const writer = this.store.memory.begin(key, true)
    if (writer !== null) return Fetch.leadFrom(this, x, key, writer, entry, stored)
    const other = this.store.memory.pending(key)
    if (other === null) return Fetch.aloneFrom(this, x, key, entry, stored)
    entry.release()
    return this.wait(x, key, other, looks)
  }
}
