import { assert, type Fault, FAULT } from "../base/index.ts"
import { begin, type Exchange, FAULT_VERDICT, NEXT, resume, type Verdict, WAIT, type Waiter } from "../flow/index.ts"
import { type Downstream, type Message, NAME, type TunnelEnd } from "../http/index.ts"
import type { ConnectionInfo } from "../net/index.ts"
import type { Adopted } from "./adopted.ts"
import { serveRun, serveStored } from "./answer.ts"
import { DiskHandle } from "./disk-handle.ts"
import { askedBy, askForAll, askForRest, dropOverrides, askIfChanged, fetchFor, tellWay } from "./fetch-request.ts"
import type { HeldEntry } from "./held-entry.ts"
import type { Asked } from "./judge-answer.ts"
import { Keeper } from "./keeper.ts"
import type { HeldPart } from "./parts.ts"
import { Relay } from "./relay.ts"
import type { RouteCache } from "./route-cache.ts"
import { mayServeOnError } from "./rules/reuse.ts"
import type { MemoryEntry } from "./store/contract.ts"
import type { Key } from "./store/key.ts"
import { decodeHead, RESPONSE, type StoredResponse } from "./stored.ts"

/** Nothing has come. */
const ASKING = 0
/** The answer goes into the store, and from there to whoever reads. */
const STORING = 1
/** It cannot be stored: it goes to the one client that caused it. */
const RELAYING = 2
/** Nobody wants it. */
const DROPPING = 3
const OVER = 4

/**
 * One request of the cache's own. It runs the route's upstream steps as an exchange without a client and is that exchange's client side. What comes is
 * stored (Keeper), or handed to the client that caused it (Relay). That client may be slow or leave; the fetch goes on.
 */
export class Fetch implements Downstream, Waiter {
  readonly cache: RouteCache
  readonly key: Key
  readonly info: ConnectionInfo
  /** The request as the client sent it. */
  readonly asked: Asked
  readonly f: Exchange
  private client: Exchange | null
  /** The entry that others wait for, under `key`. */
  private writer: MemoryEntry | null
  /** What is revalidated. */
  private old: HeldEntry | null = null
  private oldStored: StoredResponse | null = null
  /** What of it is stored already. */
  part: HeldPart | null = null
  private mode = ASKING
  private readonly purgesBefore: number
  /** What comes is stored if it may be. */
  private readonly keeps: boolean
  readonly keeper: Keeper
  private relay: Relay | null = null

  private constructor(cache: RouteCache, x: Exchange, key: Key, start: MemoryEntry | Adopted | null) {
    this.cache = cache
    this.key = key
    this.info = x.down!.info
    this.client = x
    const adopted = start !== null && "f" in start ? start : null
    this.writer = adopted === null ? (start as MemoryEntry | null) : adopted.writer
    this.keeps = adopted?.keeps ?? true
    this.purgesBefore = adopted?.purgesBefore ?? cache.store.memory.purges(key.groupHash)
    this.keeper = new Keeper(this)
    this.asked = adopted?.asked ?? askedBy(x, cache.time.clock.wall())
    if (adopted !== null) {
      this.f = adopted.f
      return
    }
    const plan = cache.parts.plan.fetch
    assert(plan !== null, "the plan of fetches is made with the route's")
    this.f = fetchFor(x, plan, this)
    dropOverrides(this.f, cache.policy.keyHeaders)
  }

  /** Goes on with a request of the cache's own whose answer is not what that was for. Whoever made it hands on what comes, from the head on. */
  static adopt(cache: RouteCache, x: Exchange, key: Key, adopted: Adopted): Fetch {
    const fetch = new Fetch(cache, x, key, adopted)
    x.waiter = fetch
    if (adopted.writer !== null) cache.store.fetchBegins(adopted.writer.place, fetch)
    return fetch
  }

  /** For one client, with an entry that others wait for. */
  static lead(cache: RouteCache, x: Exchange, key: Key, writer: MemoryEntry, start: HeldPart | null): Verdict {
    const fetch = new Fetch(cache, x, key, writer)
    fetch.part = start
    if (start === null) askForAll(fetch.f)
    else askForRest(fetch.f, start.stored)
    return fetch.start(x)
  }

  static leadFrom(cache: RouteCache, x: Exchange, key: Key, writer: MemoryEntry, old: HeldEntry, stored: StoredResponse): Verdict {
    return new Fetch(cache, x, key, writer).from(old, stored).start(x)
  }

  /** For one client; nobody waits, and it is stored all the same if it may be. `part`: what of it is stored, when the client asks for a range. */
  static alone(cache: RouteCache, x: Exchange, key: Key, part: HeldPart | null): Verdict {
    const fetch = new Fetch(cache, x, key, null)
    fetch.part = part
    if (!x.request.has(NAME.range)) askForAll(fetch.f)
    return fetch.start(x)
  }

  static aloneFrom(cache: RouteCache, x: Exchange, key: Key, old: HeldEntry, stored: StoredResponse): Verdict {
    return new Fetch(cache, x, key, null).from(old, stored).start(x)
  }

  /** For nobody: the client has had its answer. */
  static background(cache: RouteCache, x: Exchange, key: Key, writer: MemoryEntry, old: HeldEntry, stored: StoredResponse): void {
    const fetch = new Fetch(cache, x, key, writer).from(old, stored)
    fetch.client = null
    fetch.run()
  }

  /** The same where what is revalidated is on disk only. */
  static backgroundFromDisk(cache: RouteCache, x: Exchange, key: Key, writer: MemoryEntry): void {
    const fetch = new Fetch(cache, x, key, writer)
    fetch.client = null
    askForAll(fetch.f)
    void cache.store.disk!.load(key).then(entry => {
      const stored = entry === null ? null : decodeHead(entry.head)
      if (stored !== null && stored.kind === RESPONSE) fetch.from(new DiskHandle(entry!), stored)
      else entry?.close()
      fetch.run()
    })
  }

  private from(old: HeldEntry, stored: StoredResponse): this {
    askIfChanged(this.f, stored)
    this.old = old
    this.oldStored = stored
    return this
  }

  private start(x: Exchange): Verdict {
    x.waiter = this
    this.run()
    return WAIT
  }

  private run(): void {
    if (this.writer !== null) this.cache.store.fetchBegins(this.writer.place, this)
    begin(this.f)
  }

  /** The client is gone. What has been asked for may still be of use to others; a relay ends with its client. */
  cancel(x: Exchange): void {
    assert(x === this.client, "the client of this fetch")
    this.client = null
  }

  /** Something is stored that a failure must not take away. */
  get revalidates(): boolean {
    return this.oldStored !== null
  }

  /** A purge since it began means what it fetches, too: the entry that others wait for is doomed, or there is none and it has to be assumed. */
  get isPurged(): boolean {
    const { writer, key } = this
    const { memory } = this.cache.store
    return writer === null ? memory.purges(key.groupHash) !== this.purgesBefore : !writer.live || memory.purging
  }

  fills(entry: MemoryEntry): boolean {
    return this.keeper.fills(entry) || (this.writer !== null && this.writer.place === entry.place && this.writer.generation === entry.generation)
  }

  // ---- what the exchange sends to its "client"

  sendInterim(status: number, lines: string): void {
    this.client?.onInterim(status, lines)
  }

  sendHead(m: Message): void {
    assert(m === this.f && this.mode === ASKING, "one head a fetch")
    const { f } = this
    if (f.fault !== null) {
      this.failed(f.fault)
      return
    }
    if (this.oldStored !== null && f.status === 304) this.freshen()
    else if (this.oldStored !== null && f.status >= 500 && this.standIn()) this.end()
    else this.judge()
  }

  private takeClient(): Exchange | null {
    const x = this.client
    this.client = null
    if (x !== null) {
      x.waiter = null
      tellWay(this.f, x)
    }
    return x
  }

  private judge(): void {
    const { f, keeper } = this
    if (f.status === 206 && this.part !== null && !this.asked.fields.has(NAME.range) && !keeper.completes(f)) {
      this.askAgain()
      return
    }
    const verdict = keeper.judge(f)
    const stored = verdict.store && this.keeps ? keeper.begin(this.writer) : null
    if (stored !== null) this.mode = STORING
    this.dropOld()
    if (stored !== null) {
      this.writer = null
      this.cache.store.endedWell(this.key)
      const x = this.takeClient()
      if (x !== null) this.serve(x, stored, "miss", verdict.reason)
      return
    }
    if (this.oldStored !== null && !verdict.remember) this.cache.store.endedEmpty(this.key, null)
    if (f.status === 206 && this.asked.hasPart === true) {
      // Not the part that the client asked for, if it asked for one.
      this.askAgain()
      return
    }
    const reason = !verdict.store ? verdict.reason : !this.keeps ? "coding" : keeper.purged ? "purged" : "no-room"
    this.letGo(keeper.purged ? "" : reason, verdict.remember)
    this.relayTo(this.takeClient(), reason)
  }

  private serve(x: Exchange, stored: StoredResponse, result: string, reason: string): void {
    const entry = this.keeper.reader()
    if (entry === null) {
      x.fault = FAULT.internal
      resume(x, FAULT_VERDICT)
      return
    }
    const fresh = this.f.status === 206 && x.request.has(NAME.range) && this.asked.hasPart !== true ? this.keeper.fresh : null
    if (fresh === null) serveStored(this.cache, x, entry, stored, result)
    else serveRun(this.cache, x, { entry, stored }, fresh, result)
    if (x.status !== 304 && x.status !== 416) x.response.extra += this.keeper.ownLines
    x.cacheReason = reason
    if (this.cache.policy.status) x.cacheStatus = `; fwd=${this.oldStored === null ? "uri-miss" : "stale"}; fwd-status=${this.f.status}; stored`
    resume(x, NEXT)
  }

  /** Whoever waits for the entry goes on by itself. */
  private letGo(reason: string, remember: boolean): void {
    const { writer } = this
    this.writer = null
    if (writer === null) return
    this.cache.store.fetchEnds(writer.place, this)
    this.keeper.letGo(writer, reason, remember)
  }

  private relayTo(x: Exchange | null, reason: string): void {
    if (x === null) {
      this.mode = DROPPING
      this.f.onClientGone(FAULT.aborted)
      return
    }
    this.mode = RELAYING
    x.cacheResult = "miss"
    x.cacheReason = reason
    if (this.cache.policy.status)
      x.cacheStatus = `; fwd=${this.cache.forwardWord(x)}; fwd-status=${this.f.status}${reason === "" ? "" : `; detail=${reason}`}`
    this.relay = new Relay(this.f, x)
    this.relay.begin()
  }

  // ---- revalidation

  private freshen(): void {
    const { f, old, oldStored, keeper } = this
    const stored = keeper.freshen(f, { writer: this.writer, old: old!, stored: oldStored! })
    if (stored === null) {
      // It is about something else than what was asked about.
      this.askAgain()
      return
    }
    this.cache.store.endedWell(this.key)
    this.writer = null
    this.mode = STORING
    const x = this.takeClient()
    // What is on disk is served from the same handle.
    if (old instanceof DiskHandle) this.old = null
    if (x !== null) this.serve(x, stored, "revalidated", "")
    else keeper.reader()?.release()
    this.dropOld()
  }

  /** An answer to what the cache asked that nobody can use. Once more, and for the whole. */
  private askAgain(): void {
    this.dropOld()
    this.letGo("", false)
    const x = this.takeClient()
    this.mode = DROPPING
    if (x === null) return
    const verdict = Fetch.alone(this.cache, x, this.key, null)
    if (verdict !== WAIT) resume(x, verdict)
  }

  /** A stale response in place of an error (RFC 5861 section 4); false = it may not. */
  private standIn(): boolean {
    const { old, oldStored, client, cache } = this
    const directives = client === null ? cache.noDirectives : cache.directivesOf(client)
    if (old === null || !mayServeOnError(oldStored!, directives, cache.time.clock.wall())) return false
    cache.store.endedEmpty(this.key, FAULT.retryStatus)
    const x = this.takeClient()
    if (x === null) this.dropOld()
    else {
      this.old = null
      serveStored(cache, x, old, oldStored!, "stale")
      x.cacheReason = "error"
      if (cache.policy.status) x.cacheStatus += `; fwd=stale; fwd-status=${this.f.status}`
      resume(x, NEXT)
    }
    this.letGo("", false)
    this.mode = DROPPING
    return true
  }

  private end(): void {
    if (this.mode === DROPPING) this.f.onClientGone(FAULT.aborted)
  }

  private failed(fault: Fault): void {
    const { cache, f } = this
    this.mode = DROPPING
    cache.store.endedEmpty(this.key, fault)
    if (this.oldStored !== null && this.standIn()) return
    this.dropOld()
    const x = this.takeClient()
    const lines = f.replyFields
    this.letGo("", false)
    if (x === null) return
    x.fault = fault
    x.replyFields = lines
    x.cacheResult = "miss"
    x.cacheReason = "error"
    resume(x, FAULT_VERDICT)
  }

  private dropOld(): void {
    if (this.mode !== STORING) this.dropPart()
    const { old } = this
    this.old = null
    if (old === null) return
    if (!(old instanceof DiskHandle)) (old as MemoryEntry).unclaim()
    old.release()
  }

  dropPart(): void {
    const { part } = this
    this.part = null
    part?.entry.release()
  }

  // ---- the body

  sendBody(chunk: Uint8Array): boolean {
    if (this.mode === STORING) return this.keeper.push(chunk)
    return this.mode === RELAYING ? this.relay!.push(chunk) : true
  }

  sendText(text: string): boolean {
    return this.sendBody(Buffer.from(text, "latin1"))
  }

  sendEnd(trailers: string): void {
    const { mode } = this
    this.mode = OVER
    if (mode === STORING) this.keeper.complete()
    else if (mode === RELAYING) this.relay!.end(trailers)
  }

  abort(fault: Fault): void {
    const { mode } = this
    this.mode = OVER
    if (mode === STORING) this.keeper.fail()
    else if (mode === RELAYING) this.relay!.fail(fault)
    else if (mode === ASKING) this.failed(fault)
  }

  flush(): boolean {
    if (this.mode === STORING) this.keeper.flush()
    return this.mode === RELAYING ? this.relay!.flush() : true
  }

  pauseBody(): void {}

  resumeBody(): void {}

  continueBody(): void {}

  closeAfter(_fault: Fault): void {}

  takeTunnel(): TunnelEnd {
    throw new Error("a fetch is no tunnel")
  }
}
