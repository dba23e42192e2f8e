// HOT
import type { PeerStates } from "../peer-states.ts"
import { WORD } from "../slot-words.ts"

export interface BreakerOptions {
  /** Share of the attempts in the window that must fail to open it. */
  readonly failureShare: number
  readonly windowMs: number
  /** Attempts in the window below which nothing is concluded. */
  readonly requestsMin: number
  /** How long it is open before trials. */
  readonly openMs: number
  /** Trials that must all go well to close it. */
  readonly trials: number
}

export const CLOSED = 0
export const OPEN = 1
export const HALF_OPEN = 2
export type BreakerState = 0 | 1 | 2

export const REFUSED = 0
export const PASSES = 1
export const TRIAL = 2
export type Admission = 0 | 1 | 2

/** What a report changed; told to one thread only, which logs it. */
export const NO_CHANGE = 0
export const OPENED = 1
export const CLOSED_AGAIN = 2
export type BreakerChange = 0 | 1 | 2

const BUCKETS = 5
const BUCKET_WORDS = 3

/**
 * Stops requests to what fails most of them, over all workers. Its words are in the slot of the cluster or of the peer that it guards.
 *
 *     closed ── share of failures in the window ──▶ open ── time is up ──▶ half open ── all trials went well ──▶ closed
 *                                                    ▲                        │
 *                                                    └────── a trial failed ──┘
 *
 * What was sent before it opened says nothing while it is half open: only trials count then.
 */
export class Breaker {
  private readonly states: PeerStates
  private readonly base: number
  private readonly options: BreakerOptions
  private readonly bucketTenths: number
  private readonly openTenths: number

  constructor(states: PeerStates, slot: number, options: BreakerOptions) {
    this.states = states
    this.base = states.wordOf(slot)
    this.options = options
    this.bucketTenths = Math.max(1, Math.round(options.windowMs / 100 / BUCKETS))
    this.openTenths = Math.max(1, Math.round(options.openMs / 100))
  }

  get state(): BreakerState {
    return breakerState(this.states, this.base)
  }

  /** Tenths of a second until trials begin; 0 when they may. */
  get tenthsLeft(): number {
    return Math.max(0, this.word(WORD.openUntil) - this.states.now())
  }

  /** Whether `admit` would let somebody through now; takes nothing. */
  lets(): boolean {
    switch (this.state) {
      case CLOSED:
        return true
      case OPEN:
        return false
      default:
        return this.word(WORD.trials) < this.options.trials || this.word(WORD.trialUntil) <= this.states.now()
    }
  }

  /** Lets a request through, as one of the trials where it is half open. */
  admit(): Admission {
    const { state } = this
    if (state !== HALF_OPEN) return state === CLOSED ? PASSES : REFUSED
    const { words } = this.states
    const now = this.states.now()
    const trials = this.word(WORD.trials)
    // Of those that nothing was heard the client left, or the worker died.
    if (trials >= this.options.trials && this.word(WORD.trialUntil) <= now)
      Atomics.compareExchange(words, this.base + WORD.trials, trials, this.word(WORD.trialsOk))
    if (Atomics.add(words, this.base + WORD.trials, 1) >= this.options.trials) {
      Atomics.sub(words, this.base + WORD.trials, 1)
      return REFUSED
    }
    Atomics.store(words, this.base + WORD.trialUntil, now + this.openTenths)
    return TRIAL
  }

  /** What came of an attempt that `admit` let through. */
  report(ok: boolean, trial: boolean): BreakerChange {
    const until = this.word(WORD.openUntil)
    if (until !== 0) return trial ? this.reportTrial(ok, until) : NO_CHANGE
    const bucket = this.currentBucket()
    Atomics.add(this.states.words, bucket + 1, 1)
    if (ok) return NO_CHANGE
    Atomics.add(this.states.words, bucket + 2, 1)
    return this.isSick() && this.open(0) ? OPENED : NO_CHANGE
  }

  private reportTrial(ok: boolean, until: number): BreakerChange {
    if (!ok) return this.open(until) ? OPENED : NO_CHANGE
    const { words } = this.states
    if (Atomics.add(words, this.base + WORD.trialsOk, 1) + 1 < this.options.trials) return NO_CHANGE
    this.clearWindow()
    return Atomics.compareExchange(words, this.base + WORD.openUntil, until, 0) === until ? CLOSED_AGAIN : NO_CHANGE
  }

  private open(seen: number): boolean {
    const { words } = this.states
    if (Atomics.compareExchange(words, this.base + WORD.openUntil, seen, this.states.now() + this.openTenths) !== seen) return false
    Atomics.store(words, this.base + WORD.openFor, this.openTenths)
    Atomics.store(words, this.base + WORD.trials, 0)
    Atomics.store(words, this.base + WORD.trialsOk, 0)
    Atomics.add(words, this.base + WORD.opened, 1)
    return true
  }

  private isSick(): boolean {
    const { words } = this.states
    const oldest = Math.floor(this.states.now() / this.bucketTenths) - BUCKETS
    const first = this.base + WORD.window
    let attempts = 0
    let failed = 0
    for (let at = first; at < first + BUCKETS * BUCKET_WORDS; at += BUCKET_WORDS) {
      if (Atomics.load(words, at) <= oldest) continue
      attempts += Atomics.load(words, at + 1)
      failed += Atomics.load(words, at + 2)
    }
    return attempts >= this.options.requestsMin && failed >= attempts * this.options.failureShare
  }

  private clearWindow(): void {
    const first = this.base + WORD.window
    for (let word = first; word < first + BUCKETS * BUCKET_WORDS; word++) Atomics.store(this.states.words, word, 0)
  }

  /** Index of the first word of the bucket for this moment, emptied by the first to come. */
  private currentBucket(): number {
    const { words } = this.states
    const number = Math.floor(this.states.now() / this.bucketTenths)
    const bucket = this.base + WORD.window + (number % BUCKETS) * BUCKET_WORDS
    const seen = Atomics.load(words, bucket)
    if (seen !== number && Atomics.compareExchange(words, bucket, seen, number) === seen) {
      Atomics.store(words, bucket + 1, 0)
      Atomics.store(words, bucket + 2, 0)
    }
    return bucket
  }

  private word(at: number): number {
    return Atomics.load(this.states.words, this.base + at)
  }
}

/** State of the breaker whose slot begins at `base`, also for who has none of its options. */
export function breakerState(states: PeerStates, base: number): BreakerState {
  const until = Atomics.load(states.words, base + WORD.openUntil)
  if (until === 0) return CLOSED
  const now = states.now()
  // More time left than it was for: the wall clock was set back.
  return now >= until || until - now > Atomics.load(states.words, base + WORD.openFor) ? HALF_OPEN : OPEN
}
