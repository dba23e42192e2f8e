import { type Fault, FAULT, Timer, type TimerOwner } from "../../base/index.ts"
import type { Downstream } from "../../http/index.ts"
import { FRESH, judgeReuse, mayServeOnError, REVALIDATE, type ReuseVerdict, STALE_OK, STALE_WHILE_REVALIDATE } from "../rules/reuse.ts"
import { ENTRY_COMPLETE, ENTRY_FAILED, ENTRY_FILLING, ENTRY_PENDING, type MemoryEntry } from "../store/contract.ts"
import type { Key } from "../store/key.ts"
import { decodeHead, DISK_RULE, RESPONSE, type StoredResponse } from "../stored.ts"
import type { JudgedSlice } from "./judge-slice.ts"
import { readSliceOnDisk, type SliceOnDisk } from "./read-slice-on-disk.ts"
import { isSameRepresentation, representationOf } from "./representation.ts"
import { refreshSlice } from "./refresh-slice.ts"
import { type OldSlice, SliceFetch, type SliceWant } from "./slice-fetch.ts"
import { type HeldSlice, sliceKey, type SliceResult, type SliceScope } from "./slice-scope.ts"
import { sourceOf } from "./slice-source.ts"

/** Times that a slice is looked for before it is fetched for one alone. */
const LOOKS_MAX = 8

/** Who wants a slice. Exactly one of these is called, once; it may be from within `begin`. */
export interface SliceTaker {
  /** The slice is the taker's. */
  took(slice: HeldSlice): void
  /** Something else has come; see SliceWant. */
  otherCame(fetch: SliceFetch, judged: JudgedSlice): Downstream | null
  /** `fetch`: of this seek, null = there was none. */
  missed(fault: Fault, fetch: SliceFetch | null): void
  /** Somebody else's fetch gave nothing. */
  othersFailed(): void
}

/** Gets one slice for one answer: from memory, from disk, from whoever fetches it just now, or by a fetch of its own, for which others wait then. */
export class SliceSeek implements TimerOwner, SliceWant {
  readonly number: number
  private readonly scope: SliceScope
  private readonly key: Key
  private taker: SliceTaker | null
  private readonly timer = new Timer(this)
  private waited: MemoryEntry | null = null
  private fetch: SliceFetch | null = null
  private looks = 0
  /** What is there is refused. */
  private skipsDisk = false
  /** Somebody else's fetch, which has come to something. */
  private waitedFor = false
  private readonly changed = (): void => this.entryChanged()

  constructor(scope: SliceScope, number: number, taker: SliceTaker) {
    this.scope = scope
    this.number = number
    this.key = sliceKey(scope.key, number)
    this.taker = taker
  }

  begin(): void {
    this.look()
  }

  /** Nobody wants it any more. What is being fetched is stored. */
  cancel(): void {
    this.taker = null
    this.stopWaiting()
    this.fetch?.leave()
  }

  private takeTaker(): SliceTaker {
    const taker = this.taker!
    this.taker = null
    return taker
  }

  private look(): void {
    if (++this.looks > LOOKS_MAX) {
      this.ask(null, null)
      return
    }
    const { cache, known } = this.scope
    const held = this.looks === 1 ? known.hold(this.key) : null
    if (held !== null && !this.isRefused(held.stored)) {
      this.useSlice(held.entry, held.stored)
      return
    }
    held?.entry.release()
    const entry = cache.store.memory.find(this.key)
    if (entry === null) this.miss(false)
    else if (entry.state === ENTRY_PENDING) this.wait(entry)
    else this.use(entry)
  }

  private use(entry: MemoryEntry): void {
    const stored = entry.state === ENTRY_FAILED ? null : decodeHead(entry.head)
    if (stored?.kind === RESPONSE && stored.part !== null && !this.isRefused(stored)) {
      if (entry.state === ENTRY_COMPLETE) this.scope.known.note(this.key, entry, stored)
      this.useSlice(entry, stored)
      return
    }
    entry.release()
    if (stored?.kind === DISK_RULE && this.scope.cache.store.disk !== null) void this.lookOnDisk(null, stored.ticket)
    else this.miss(stored !== null)
  }

  private isRefused(stored: StoredResponse): boolean {
    const { refused } = this.scope
    if (refused === null || !isSameRepresentation(representationOf(stored), refused)) return false
    this.skipsDisk = true
    return true
  }

  private useSlice(entry: MemoryEntry, stored: StoredResponse): void {
    stored.marked = entry.marked
    const verdict = this.verdictOn(stored)
    if (verdict === REVALIDATE) {
      this.revalidate(entry, stored)
      return
    }
    entry.touch()
    if (verdict === STALE_WHILE_REVALIDATE) refreshSlice(this.scope, this.number, entry)
    const isTheirs = (this.waitedFor || entry.state === ENTRY_FILLING) && stored.responseMs >= this.scope.sinceMs
    this.give({ entry, stored }, verdict !== FRESH ? "stale" : isTheirs ? "coalesced" : "hit")
  }

  private give({ entry, stored }: OldSlice, result: SliceResult): void {
    const { number, scope } = this
    this.takeTaker().took({ number, key: scope.key, stored, source: sourceOf(entry), result, fetch: null })
  }

  private verdictOn(stored: StoredResponse): ReuseVerdict {
    const { cache, directives, sinceMs } = this.scope
    // Who waited for it asked before it came, and what came since is as new as their own would be (RFC 9111 section 4, collapsed requests).
    const isOurs = this.waitedFor ? stored.responseMs >= sinceMs : stored.responseMs > sinceMs
    return isOurs && !stored.marked ? FRESH : judgeReuse(stored, directives, cache.time.clock.wall())
  }

  private revalidate(entry: MemoryEntry, stored: StoredResponse): void {
    const { cache, x, directives } = this.scope
    const { memory } = cache.store
    const ending = this.looks > 1 ? cache.store.endingSince(this.key, x) : null
    if (ending?.fault && mayServeOnError(stored, directives, cache.time.clock.wall())) {
      this.give({ entry, stored }, "stale")
      return
    }
    if (directives.onlyIfCached) {
      entry.release()
      this.takeTaker().missed(FAULT.notCached, null)
      return
    }
    const writer = cache.policy.coalesceMs === 0 ? null : memory.begin(this.key, true)
    const other = writer === null && cache.policy.coalesceMs > 0 ? memory.pending(this.key) : null
    // It may be the same one, which grows still and is stale already: nothing comes of waiting for that.
    if (other !== null && other.place !== entry.place) {
      entry.release()
      this.wait(other)
      return
    }
    other?.release()
    if (entry.state === ENTRY_COMPLETE) this.ask(writer, { entry, stored })
    else {
      entry.release()
      this.ask(writer, null)
    }
  }

  /** Nothing that could be used is in memory. `replace`: something else is there. */
  private miss(replace: boolean): void {
    const { cache, directives } = this.scope
    const { memory, disk } = cache.store
    const isOnDisk = !this.skipsDisk && disk?.mayHave(this.key) === true
    if (directives.onlyIfCached && !isOnDisk) {
      this.takeTaker().missed(FAULT.notCached, null)
      return
    }
    if (cache.policy.coalesceMs === 0 && !isOnDisk) {
      this.ask(null, null)
      return
    }
    const writer = memory.begin(this.key, replace)
    const other = writer === null ? memory.pending(this.key) : null
    if (other !== null) this.wait(other)
    else if (writer !== null && isOnDisk) void this.lookOnDisk(writer, 0)
    else this.ask(writer, null)
  }

  private ask(writer: MemoryEntry | null, old: OldSlice | null): void {
    const fetch = new SliceFetch(this.scope, this.number, { writer, old, want: this })
    this.fetch = fetch
    fetch.run()
  }

  // ---- on disk

  private async lookOnDisk(writer: MemoryEntry | null, ticket: number): Promise<void> {
    const { store } = this.scope.cache
    const found = await readSliceOnDisk(store, this.key, { writer, ticket })
    if (this.taker === null) {
      if (typeof found !== "string") found.handle.release()
      else if (found === "missing" && writer !== null) writer.release()
    } else if (found === "memory") this.look()
    else if (found !== "missing") this.useOnDisk(found)
    else if (this.scope.directives.onlyIfCached) {
      writer?.release()
      this.takeTaker().missed(FAULT.notCached, null)
    } else if (writer !== null) this.ask(writer, null)
    else {
      // The rule in memory is wrong by now.
      store.memory.removeKey(this.key)
      this.look()
    }
  }

  private useOnDisk({ handle, stored }: SliceOnDisk): void {
    const { cache, directives } = this.scope
    if (this.isRefused(stored)) {
      handle.release()
      this.miss(true)
      return
    }
    const verdict = this.verdictOn(stored)
    if (verdict === FRESH || verdict === STALE_OK) {
      this.give({ entry: handle, stored }, verdict === FRESH ? "hit" : "stale")
      return
    }
    if (!directives.onlyIfCached) {
      this.ask(cache.policy.coalesceMs === 0 ? null : cache.store.memory.begin(this.key, true), { entry: handle, stored })
      return
    }
    handle.release()
    this.takeTaker().missed(FAULT.notCached, null)
  }

  // ---- what somebody else fetches

  private wait(entry: MemoryEntry): void {
    const { cache, directives } = this.scope
    if (cache.policy.coalesceMs === 0 || directives.onlyIfCached) {
      entry.release()
      if (directives.onlyIfCached) this.takeTaker().missed(FAULT.notCached, null)
      else this.ask(null, null)
      return
    }
    const { wheel, clock } = cache.time
    wheel.schedule(this.timer, clock.now() + cache.policy.coalesceMs)
    this.waited = entry
    entry.watch(this.changed)
  }

  private stopWaiting(): void {
    const { waited } = this
    this.waited = null
    if (waited === null) return
    this.scope.cache.time.wheel.cancel(this.timer)
    waited.unwatch(this.changed)
    waited.release()
  }

  private entryChanged(): void {
    const { waited } = this
    if (waited === null) return
    const failed = waited.state === ENTRY_FAILED || (waited.state === ENTRY_PENDING && !waited.live)
    this.stopWaiting()
    if (!failed) {
      this.waitedFor = true
      this.look()
      return
    }
    const { cache, x } = this.scope
    const stored = cache.store.memory.find(this.key)
    if (stored !== null) {
      // Something that may stand in, or somebody who has begun anew.
      stored.release()
      this.look()
      return
    }
    const fault = cache.store.endingSince(this.key, x)?.fault ?? null
    if (fault !== null) this.takeTaker().missed(fault, null)
    else this.takeTaker().othersFailed()
  }

  /** The one who fetches takes too long: this goes by itself. */
  onTimer(): void {
    if (this.waited === null) return
    this.stopWaiting()
    this.ask(null, null)
  }

  // ---- what the fetch says

  sliceCame(slice: HeldSlice): void {
    this.takeTaker().took(slice)
  }

  otherCame(fetch: SliceFetch, judged: JudgedSlice): Downstream | null {
    return this.takeTaker().otherCame(fetch, judged)
  }

  nothingSaid(): void {
    this.ask(this.scope.cache.store.memory.begin(this.key, true), null)
  }

  faulted(fault: Fault, fetch: SliceFetch): void {
    this.takeTaker().missed(fault, fetch)
  }
}
