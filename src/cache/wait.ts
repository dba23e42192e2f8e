import { type Fault, Timer, type TimerOwner } from "../base/index.ts"
import { type Exchange, FAULT_VERDICT, resume, type Verdict, WAIT, type Waiter } from "../flow/index.ts"
import type { RouteCache } from "./route-cache.ts"
import { ENTRY_FAILED, ENTRY_PENDING, type MemoryEntry } from "./store/contract.ts"
import type { Key } from "./store/key.ts"

/** One request that waits for another one's fetch. It looks again when that has a head, is over, or has taken too long. */
export class Wait implements Waiter, TimerOwner {
  private readonly cache: RouteCache
  private readonly x: Exchange
  private readonly key: Key
  private readonly entry: MemoryEntry
  private readonly looks: number
  private readonly timer = new Timer(this)
  private over = false
  private readonly changed = (): void => this.entryChanged()

  constructor(cache: RouteCache, x: Exchange, key: Key, entry: MemoryEntry, looks: number) {
    this.cache = cache
    this.x = x
    this.key = key
    this.entry = entry
    this.looks = looks
  }

  begin(): Verdict {
    const { wheel, clock } = this.cache.time
    wheel.schedule(this.timer, clock.now() + this.cache.policy.coalesceMs)
    this.x.waiter = this
    this.entry.watch(this.changed)
    // It may have come to its end since it was found, and then nothing more happens to it.
    if (this.entry.state !== ENTRY_PENDING && !this.cache.growsElsewhere(this.entry)) queueMicrotask(this.changed)
    return WAIT
  }

  cancel(): void {
    this.end()
  }

  private end(): void {
    this.over = true
    this.cache.time.wheel.cancel(this.timer)
    this.entry.unwatch(this.changed)
    this.entry.release()
  }

  private entryChanged(): void {
    if (this.over) return
    const { entry } = this
    if (this.cache.growsElsewhere(entry)) {
      // It waits for the end, but what it has not looked at would call it again at once, and again.
      void entry.filled
      entry.watch(this.changed)
      return
    }
    this.goOn(entry.state === ENTRY_FAILED ? this.faultThatCounts() : null)
  }

  /** How the fetch failed, unless something is stored that may stand in. */
  private faultThatCounts(): Fault | null {
    const { store } = this.cache
    const fault = store.endingSince(this.key, this.x)?.fault ?? null
    const stored = fault === null ? null : store.memory.find(this.key)
    if (stored === null) return fault
    stored.release()
    return null
  }

  private goOn(fault: Fault | null): void {
    const { x, cache, key, looks } = this
    this.end()
    x.waiter = null
    if (fault !== null) {
      x.fault = fault
      x.cacheResult = "coalesced"
      resume(x, FAULT_VERDICT)
      return
    }
    x.cacheResult = "coalesced"
    const verdict = cache.lookUp(x, key, looks + 1)
    if (verdict !== WAIT) resume(x, verdict)
  }

  /** The one who fetches takes too long: this request goes by itself. */
  onTimer(): void {
    if (this.over) return
    this.end()
    this.x.waiter = null
    resume(this.x, this.cache.pass(this.x, "miss", "coalesce-timeout"))
  }
}
