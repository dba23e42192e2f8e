import type { Clock, Random } from "../../../base/index.ts"
import type { Timers } from "../../timers.ts"

/** `expiresAt` is on the clock's `now`: when to ask again. Without an error there is at least one address. */
export type LookupDone = (error: { readonly message: string } | null, addresses: readonly string[], expiresAt: number) => void

/** The part of the resolver that discovery uses. It keeps the last good addresses itself while the name servers fail, for its `staleFor`. */
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
  /** How long the last addresses are kept when the resolver has none. Default 5 s: one answer that a name is gone may be a slip of whoever writes the zone. */
  readonly holdMs?: number
  /** A look-up went wrong, or is right again (null); told once per change. */
  readonly onTrouble?: (name: string, message: string | null) => void
}

const PAUSE_MS = 1_000
const BACK_OFF_MS_MAX = 10_000
const HOLD_MS = 5_000
/** The resolver may answer with one family of addresses while the other is late: when to look into its cache again. */
const SECOND_LOOK_MS = 3_000
/** A name with more addresses than this gives its first ones. */
const ADDRESSES_MAX = 1_024

/** Follows the addresses of one name: asks again when their time to live is over, and with longer and longer pauses when there are none. */
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
  /** The cache was looked into again after the last answer. */
  private lookedAgain = false
  private failures = 0
  /** Since when the resolver has no addresses; 0 = it has. */
  private failingSince = 0
  private trouble: string | null = null
  private cancel: () => void = () => {}
  private waiting: (() => void)[] = []

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
    this.release()
  }

  /** Asks now, at most once a second: somebody has reason to doubt the addresses. `done` is called when the answer, any answer, has been dealt with. */
  refreshNow(done: () => void): void {
    if (this.stopped) return done()
    this.waiting.push(done)
    if (!this.asking) this.askAt(Math.max(this.deps.clock.now(), this.askedAt + PAUSE_MS))
  }

  private askAt(at: number): void {
    this.lookedAgain = false
    this.wait(at, () => this.ask(true))
  }

  private wait(at: number, run: () => void): void {
    this.cancel()
    const ms = at - this.deps.clock.now()
    if (ms <= 0) run()
    else this.cancel = this.deps.timers.after(ms, run)
  }

  private ask(anew: boolean): void {
    this.asking = true
    this.askedAt = this.deps.clock.now()
    const done = this.answerOnce()
    if (anew) this.deps.resolver.refresh(this.name, done)
    else this.deps.resolver.lookup(this.name, done)
  }

  private lookAgain(): void {
    this.lookedAgain = true
    this.asking = true
    this.deps.resolver.lookup(this.name, this.answerOnce())
  }

  private answerOnce(): LookupDone {
    let called = false
    return (error, addresses, expiresAt) => {
      if (called || this.stopped) return
      called = true
      this.asking = false
      const now = this.deps.clock.now()
      if (error === null) this.succeeded(addresses, expiresAt, now)
      else this.failed(now)
      this.tell(error === null ? null : error.message)
      this.release()
    }
  }

  private succeeded(addresses: readonly string[], expiresAt: number, now: number): void {
    this.failures = 0
    this.failingSince = 0
    if (this.lookedAgain || expiresAt <= now + SECOND_LOOK_MS) this.askAt(Math.max(expiresAt, now + PAUSE_MS))
    else this.wait(now + SECOND_LOOK_MS, () => this.lookAgain())
    this.take([...new Set(addresses)].sort().slice(0, ADDRESSES_MAX))
  }

  private failed(now: number): void {
    const pause = Math.min(BACK_OFF_MS_MAX, PAUSE_MS * 2 ** Math.min(this.failures, 10))
    this.failures++
    this.failingSince ||= now
    this.askAt(now + this.deps.random.jitter(pause, 0.1))
    this.take(now - this.failingSince < (this.deps.holdMs ?? HOLD_MS) ? this.addresses : [])
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

  private release(): void {
    const { waiting } = this
    this.waiting = []
    for (const done of waiting) done()
  }
}
