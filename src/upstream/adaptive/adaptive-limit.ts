// HOT
import { logOfMs, msOfLog, ratioOfLogs } from "../log-latency.ts"
import type { PeerStates } from "../peer-states.ts"
import { WORD } from "../slot-words.ts"

export interface AdaptiveOptions {
  /** Requests without an answer at the start. */
  readonly start: number
  readonly min: number
  readonly max: number
  /** How many times the latency of a cluster at rest is still right. */
  readonly tolerance: number
  /** How often it looks. */
  readonly windowMs: number
  /** How often it asks what the latency is with half as many. */
  readonly probeMs: number
}

/** Answers in a window below which nothing is concluded. */
const SAMPLES_MIN = 10
/** The limit is stored in 64ths, so that small steps count. */
const PARTS = 64
/** How far a window moves the limit towards what it found, and the baseline towards what a cluster at rest takes. */
const SMOOTHING = 0.5
const BASELINE_SHARE = 0.2

/**
 * Finds how many requests a cluster can work on at the same time, over all workers, from how long its answers take: with more than that they
 * wait there instead of here. The gradient of Envoy's adaptive concurrency filter and Netflix's concurrency-limits:
 *
 *     gradient = tolerance * baseline / latency, from 0.5 to 1        limit = limit * gradient + √limit
 *
 * Latencies are geometric means of the times to the head over a window. The baseline is the lowest of them; it also follows what is measured while
 * few requests are under way. Every `probeMs` the limit is halved for one window, so that a baseline that was taken under load is put right.
 * A limit that is not used does not grow.
 */
export class AdaptiveLimit {
  private readonly states: PeerStates
  private readonly base: number
  private readonly options: AdaptiveOptions
  private readonly windowTenths: number
  private readonly probeTenths: number

  constructor(states: PeerStates, slot: number, options: AdaptiveOptions) {
    this.states = states
    this.base = states.wordOf(slot)
    this.options = options
    this.windowTenths = Math.max(1, Math.round(options.windowMs / 100))
    this.probeTenths = Math.max(this.windowTenths * 4, Math.round(options.probeMs / 100))
  }

  /** Requests without an answer that there may be now. */
  get limit(): number {
    const { min, max } = this.options
    const limit = Math.floor(this.exact / PARTS)
    return limit < min ? min : limit > max ? max : limit
  }

  private get exact(): number {
    const stored = this.word(WORD.limit)
    return stored === 0 ? this.options.start * PARTS : stored
  }

  /** An answer took so long, or none came for so long; `unanswered` were under way. True when the limit grew. */
  sample(ms: number, unanswered: number): boolean {
    const { words } = this.states
    Atomics.add(words, this.base + WORD.sampleSum, logOfMs(ms))
    const count = Atomics.add(words, this.base + WORD.samples, 1) + 1
    if (unanswered > this.word(WORD.peak)) Atomics.store(words, this.base + WORD.peak, unanswered)
    const end = this.word(WORD.windowEnd)
    const now = this.states.now()
    const next = now + this.windowTenths
    // A wall clock that was set back must not stop it.
    if (now < end && end <= next) return false
    if (end !== 0 && count < SAMPLES_MIN) return false
    if (Atomics.compareExchange(words, this.base + WORD.windowEnd, end, next) !== end) return false
    return end !== 0 && this.closeWindow(now)
  }

  private closeWindow(now: number): boolean {
    const { words } = this.states
    const count = Atomics.exchange(words, this.base + WORD.samples, 0)
    const sum = Atomics.exchange(words, this.base + WORD.sampleSum, 0)
    const peak = Atomics.exchange(words, this.base + WORD.peak, 0)
    if (count <= 0) return false
    const before = this.exact
    const next = this.follow(sum / count, peak, now)
    Atomics.store(words, this.base + WORD.limit, next)
    return next > before
  }

  private follow(latency: number, peak: number, now: number): number {
    const { words } = this.states
    const halved = Atomics.exchange(words, this.base + WORD.beforeProbe, 0)
    const limit = (halved === 0 ? this.exact : halved) / PARTS
    const gradient = this.gradient(latency, halved !== 0 || peak <= Math.max(this.options.min, limit / 4))
    let wanted = limit * gradient + Math.sqrt(limit)
    if (wanted > limit && peak < limit / 2) wanted = limit
    const next = this.bounded(limit + (wanted - limit) * SMOOTHING)
    if (!this.isProbeDue(now)) return Math.round(next * PARTS)
    Atomics.store(words, this.base + WORD.beforeProbe, Math.round(next * PARTS))
    return Math.round(this.bounded(next / 2) * PARTS)
  }

  /** `rests`: few enough were under way that the latency is the cluster's own. */
  private gradient(latency: number, rests: boolean): number {
    const known = this.word(WORD.baseline)
    const baseline = known === 0 || latency < known ? latency : rests ? known + (latency - known) * BASELINE_SHARE : known
    Atomics.store(this.states.words, this.base + WORD.baseline, Math.max(1, Math.round(baseline)))
    const gradient = this.options.tolerance / ratioOfLogs(latency - baseline)
    return gradient < 0.5 ? 0.5 : gradient > 1 ? 1 : gradient
  }

  private isProbeDue(now: number): boolean {
    const at = this.word(WORD.probeAt)
    if (at !== 0 && now < at && at <= now + this.probeTenths) return false
    Atomics.store(this.states.words, this.base + WORD.probeAt, now + this.probeTenths)
    return at !== 0
  }

  private bounded(limit: number): number {
    const { min, max } = this.options
    return limit < min ? min : limit > max ? max : limit
  }

  private word(at: number): number {
    return Atomics.load(this.states.words, this.base + at)
  }
}

/** What the words at `base` say, for the status: milliseconds of a cluster at rest, 0 = not known. */
export function baselineMs(states: PeerStates, base: number): number {
  const log = Atomics.load(states.words, base + WORD.baseline)
  return log === 0 ? 0 : msOfLog(log)
}
