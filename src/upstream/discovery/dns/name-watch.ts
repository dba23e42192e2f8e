import type { Clock, Random } from "../../../base/index.ts"
import type { Timers } from "../../timers.ts"

/** What a look-up may fail with. */
export interface LookupError {
  readonly message: string
  /** The name servers say that there is no such name or that it has no addresses; not a failure to answer. */
  readonly notFound: boolean
}

/** `expiresAt` is on the clock's `now`. */
export type LookupDone = (error: LookupError | null, addresses: readonly string[], expiresAt: number) => void

export interface NameResolver {
  /** From the cache where it can. */
  lookup(name: string, done: LookupDone): void
  /** Asks the name servers whatever the cache has. */
  refresh(name: string, done: LookupDone): void
}

export interface NameWatchDeps {
  readonly resolver: NameResolver
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  /** How long the last good addresses are kept while nobody answers. Default 10 min. */
  readonly staleForMs?: number
  /** How long they are kept while the answer is that there is no such name. Default 5 s: one such answer may be a slip of whoever writes the zone. */
  readonly goneForMs?: number
  /** A look-up went wrong, or is right again (null); told once per change. */
  readonly onTrouble?: (name: string, message: string | null) => void
}

const PAUSE_MS = 1_000
const BACK_OFF_MS_MAX = 10_000
/** A name with more addresses than this gives its first ones. */
const ADDRESSES_MAX = 1_024
const STALE_FOR_MS = 600_000
const GONE_FOR_MS = 5_000

/** Follows the addresses of one name: asks again when their time to live is over, backs off when nobody answers, keeps the last good ones meanwhile. */
export class NameWatch {
  /** In order; a turn of the same set is no change. */
  addresses: readonly string[] = []
  /** The first look-up has come to an end, good or bad. */
  settled = false
  readonly name: string
  private readonly deps: NameWatchDeps
  private readonly onChange: () => void
  private askedAt = 0
  private asking = false
  private stopped = false
  private failures = 0
  /** Since when there was no good answer, and since when every answer was that there is no such name; 0 = not so. */
  private failingSince = 0
  private goneSince = 0
  private trouble: string | null = null
  private cancel: () => void = () => {}

  /** `onChange` is called when the set has changed, and once when the first look-up has ended. */
  constructor(name: string, deps: NameWatchDeps, onChange: () => void) {
    this.name = name
    this.deps = deps
    this.onChange = onChange
  }

  start(): void {
    this.ask(false)
  }

  stop(): void {
    this.stopped = true
    this.cancel()
  }

  /** Asks now, at most once a second: somebody has reason to doubt the addresses. */
  refreshNow(): void {
    if (this.stopped || this.asking) return
    this.askAt(Math.max(this.deps.clock.now(), this.askedAt + PAUSE_MS))
  }

  private askAt(at: number): void {
    this.cancel()
    const wait = at - this.deps.clock.now()
    if (wait <= 0) this.ask(true)
    else this.cancel = this.deps.timers.after(wait, () => this.ask(true))
  }

  private ask(anew: boolean): void {
    this.asking = true
    this.askedAt = this.deps.clock.now()
    let called = false
    const done: LookupDone = (error, addresses, expiresAt) => {
      if (called || this.stopped) return
      called = true
      this.asking = false
      this.answered(error, addresses, expiresAt)
    }
    if (anew) this.deps.resolver.refresh(this.name, done)
    else this.deps.resolver.lookup(this.name, done)
  }

  private answered(error: LookupError | null, addresses: readonly string[], expiresAt: number): void {
    const now = this.deps.clock.now()
    this.askAt(error === null ? this.succeeded(expiresAt, now) : this.failed(error, now))
    if (error === null) this.take([...new Set(addresses)].sort().slice(0, ADDRESSES_MAX))
    else this.take(this.isKept(now) ? this.addresses : [])
    this.tell(error === null ? null : error.message)
  }

  /** When to ask again. */
  private succeeded(expiresAt: number, now: number): number {
    this.failures = 0
    this.failingSince = 0
    this.goneSince = 0
    return Math.max(expiresAt, now + PAUSE_MS)
  }

  private failed(error: LookupError, now: number): number {
    const pause = Math.min(BACK_OFF_MS_MAX, PAUSE_MS * 2 ** Math.min(this.failures, 10))
    this.failures++
    this.failingSince ||= now
    this.goneSince = error.notFound ? this.goneSince || now : 0
    return now + this.deps.random.jitter(pause, 0.1)
  }

  private isKept(now: number): boolean {
    if (now - this.failingSince >= (this.deps.staleForMs ?? STALE_FOR_MS)) return false
    return this.goneSince === 0 || now - this.goneSince < (this.deps.goneForMs ?? GONE_FOR_MS)
  }

  private take(addresses: readonly string[]): void {
    const changed = addresses.length !== this.addresses.length || addresses.some((address, index) => address !== this.addresses[index])
    const first = !this.settled
    this.settled = true
    this.addresses = addresses
    if (changed || first) this.onChange()
  }

  private tell(trouble: string | null): void {
    if (trouble === this.trouble) return
    this.trouble = trouble
    this.deps.onTrouble?.(this.name, trouble)
  }
}
