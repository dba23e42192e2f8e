// HOT
import { assert, log } from "../../base/index.ts"
import type { Time } from "../../http/index.ts"
import { AdaptiveLimit, type AdaptiveOptions } from "../adaptive/adaptive-limit.ts"
import { Breaker, type BreakerChange, type BreakerOptions, CLOSED_AGAIN, NO_CHANGE, OPENED } from "../breaker/breaker.ts"
import { type Ejection, reasonWords } from "../ejection.ts"
import type { FineWheel } from "../hedge/fine-wheel.ts"
import { HedgeDelay, type HedgeOptions } from "../hedge/hedge-delay.ts"
import { LatencyQuantile } from "../hedge/latency-quantile.ts"
import { type EjectionTold, Outlier, type OutlierOptions } from "../outlier/outlier.ts"
import { type Counts, failureFrom, type Outcome, OUTCOME } from "../outcome.ts"
import type { Peer } from "../peer.ts"
import type { PeerStates } from "../peer-states.ts"
import { type QueueOptions, WaitQueue } from "../queue/wait-queue.ts"
import { RetryBudget } from "../retry-budget.ts"
import type { LoopDelay } from "../shed/loop-delay.ts"
import { Shedding, type SheddingOptions } from "../shed/shedding.ts"
import { TALLY, WORD } from "../slot-words.ts"
import type { GuardMeter } from "./guard-meter.ts"
import { PeerGate, type PeerLimits } from "./peer-gate.ts"

/** Limits of a cluster or of each of its peers; 0 = no limit. `failures`: opens by the share of failures. */
export interface BreakerRules extends PeerLimits {
  readonly counts: Counts
  readonly failures: BreakerOptions | null
}

/** What a cluster protects itself and its clients with; null = nothing of the kind. */
export interface GuardOptions {
  readonly breaker: BreakerRules | null
  /** The same for each peer. */
  readonly peer: BreakerRules | null
  readonly queue: QueueOptions | null
  readonly adaptive: AdaptiveOptions | null
  readonly hedge: HedgeOptions | null
  readonly shed: SheddingOptions | null
  /** Share of available peers below which all of them are used; 0 = never. */
  readonly panicBelow: number
  readonly outlier: (OutlierOptions & { readonly counts: Counts }) | null
}

export interface GuardParts {
  readonly name: string
  readonly options: GuardOptions
  readonly states: PeerStates
  /** The cluster's. */
  readonly slot: number
  readonly time: Time
  readonly fine: FineWheel
  readonly loopDelay: LoopDelay
  readonly ejection: Ejection | null
  readonly meter: GuardMeter | null
  readonly random?: () => number
}

const NO_LIMITS: PeerLimits = { requestsMax: 0, pendingMax: 0, retriesMax: 0 }
/** How often the share of available peers is looked at. */
const PANIC_LOOK_MS = 100

/** Everything that keeps a cluster in trouble from getting worse, in one worker; what is not configured is null. Counts are those of all workers. */
export class Guard {
  readonly options: GuardOptions
  readonly states: PeerStates
  readonly slot: number
  readonly time: Time
  readonly fine: FineWheel
  readonly meter: GuardMeter | null
  readonly limits: PeerLimits
  readonly breaker: Breaker | null
  readonly queue: WaitQueue | null
  readonly adaptive: AdaptiveLimit | null
  readonly shedding: Shedding | null
  readonly hedgeDelay: HedgeDelay | null
  readonly hedgeBudget: RetryBudget | null
  private readonly outlier: Outlier | null
  private readonly name: string
  private readonly failsFrom: Outcome
  private readonly peerFailsFrom: Outcome
  private readonly outlierFailsFrom: Outcome
  private peers: readonly Peer[] = []
  private panic = false
  private panicLookAt = 0
  private readonly told: EjectionTold

  constructor(parts: GuardParts) {
    const { options, states, slot } = parts
    this.name = parts.name
    this.options = options
    this.states = states
    this.slot = slot
    this.time = parts.time
    this.fine = parts.fine
    this.meter = parts.meter
    this.limits = options.breaker ?? NO_LIMITS
    this.breaker = options.breaker === null || options.breaker.failures === null ? null : new Breaker(states, slot, options.breaker.failures)
    this.adaptive = options.adaptive === null ? null : new AdaptiveLimit(states, slot, options.adaptive)
    this.shedding = options.shed === null ? null : new Shedding(options.shed, parts.loopDelay)
    this.hedgeDelay = options.hedge === null ? null : new HedgeDelay(options.hedge)
    this.hedgeBudget = options.hedge === null ? null : new RetryBudget(states, slot, options.hedge.shareMax, { word: WORD.hedges, floor: 0 })
    this.outlier = options.outlier === null || parts.ejection === null ? null : new Outlier(states, slot, options.outlier, parts.ejection)
    this.failsFrom = failureFrom(options.breaker?.counts ?? "5xx")
    this.peerFailsFrom = failureFrom(options.peer?.counts ?? "5xx")
    this.outlierFailsFrom = failureFrom(options.outlier?.counts ?? "5xx")
    const random = parts.random ?? Math.random
    // allow(closure): once a guard
    const take = () => this.take()
    this.queue = options.queue === null ? null : new WaitQueue({ options: options.queue, states, slot, take, random })
    // allow(closure): once a guard
    this.told = (peer, reason, detail) =>
      log.warn("upstream", "a peer is ejected", { cluster: this.name, peer: peer.name, by: reasonWords[reason]!, detail })
  }

  /** The whole list. A peer that stays keeps what is known of its latencies. */
  peersChanged(peers: readonly Peer[]): void {
    this.peers = peers
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[i]!
      const { peer: rules, hedge } = this.options
      const breaker = rules === null || rules.failures === null ? null : new Breaker(this.states, peer.slot, rules.failures)
      const quantile = hedge === null || hedge.quantile === 0 ? null : (peer.gate?.quantile ?? new LatencyQuantile(hedge.quantile))
      peer.gate = new PeerGate(rules ?? NO_LIMITS, breaker, quantile)
    }
    this.panic = false
    this.panicLookAt = 0
  }

  // ---- places

  /** Takes a place for one request, over all workers; false when there is none. */
  take(): boolean {
    const { states, slot, adaptive } = this
    const { requestsMax } = this.limits
    if (this.options.peer !== null && !this.hasRoom()) return false
    if (requestsMax === 0) states.take(slot, TALLY.inFlight)
    else if (!states.tryTake(slot, TALLY.inFlight, requestsMax)) return false
    if (adaptive === null || states.tryTake(slot, TALLY.unanswered, adaptive.limit)) return true
    states.give(slot, TALLY.inFlight)
    return false
  }

  /** Something became free: for whoever waits. */
  freed(): void {
    if (this.queue !== null) this.queue.freed()
  }

  /** Somebody can take a request, or nobody's limit is why not. */
  private hasRoom(): boolean {
    let full = false
    for (let i = 0; i < this.peers.length; i++) {
      const peer = this.peers[i]!
      if (peer.weight > 0 && peer.isAvailable()) return true
      full = full || peer.gate!.isFull(peer)
    }
    return !full
  }

  /** No peer is left, and for some it is only their limit. */
  get isFull(): boolean {
    if (this.options.peer === null) return false
    for (let i = 0; i < this.peers.length; i++) if (this.peers[i]!.gate!.isFull(this.peers[i]!)) return true
    return false
  }

  // ---- panic

  /** Before a peer is picked: are there enough of them? */
  lookAtPanic(): void {
    if (this.options.panicBelow === 0) return
    const now = this.time.clock.now()
    if (now >= this.panicLookAt) this.countAvailable(now)
    if (this.panic && this.meter !== null) this.meter.panicked()
  }

  private countAvailable(now: number): void {
    this.panicLookAt = now + PANIC_LOOK_MS
    let all = 0
    let available = 0
    for (let i = 0; i < this.peers.length; i++) {
      const { states, slot, fullWeight } = this.peers[i]!
      if (fullWeight === 0 || states.isDraining(slot)) continue
      all++
      if (states.isAvailable(slot)) available++
    }
    const panic = all > 0 && available < all * this.options.panicBelow
    if (panic === this.panic) return
    this.panic = panic
    for (let i = 0; i < this.peers.length; i++) this.peers[i]!.gate!.panic = panic
    this.tellPanic(panic, available, all)
  }

  private tellPanic(panic: boolean, available: number, peers: number): void {
    const word = this.states.wordOf(this.slot) + WORD.panic
    if (Atomics.exchange(this.states.words, word, panic ? 1 : 0) === (panic ? 1 : 0)) return
    const facts = { cluster: this.name, available, peers }
    if (panic) log.warn("upstream", "too few peers are available: all of them get requests", facts)
    else log.info("upstream", "enough peers are available again", facts)
  }

  // ---- what came of attempts

  /** An attempt at `peer` ended. `ms`: how long the answer took, or was waited for until the time was up; -1 = that says nothing. */
  report(peer: Peer, outcome: Outcome, ms: number, trial: boolean, peerTrial: boolean): void {
    const gate = peer.gate
    assert(gate !== null, "a peer of a guarded cluster has a gate")
    if (this.breaker !== null) this.tellBreaker(this.breaker.report(outcome < this.failsFrom, trial), "")
    if (gate.breaker !== null) this.tellBreaker(gate.breaker.report(outcome < this.peerFailsFrom, peerTrial), peer.name)
    if (this.outlier !== null) {
      this.outlier.outcome(peer, outcome >= this.outlierFailsFrom)
      if (ms >= 0) this.outlier.latency(peer, ms)
      this.outlier.look(this.peers, this.told)
    }
    if (ms < 0) return
    if (gate.quantile !== null) gate.quantile.add(ms)
    if (this.adaptive !== null && (outcome === OUTCOME.ok || outcome === OUTCOME.fault)) this.sample(ms)
  }

  /** Nobody waited for its answer any longer, after `ms`: at least as long it would have taken. */
  outrun(peer: Peer, ms: number): void {
    if (this.outlier !== null) this.outlier.latency(peer, ms)
    if (peer.gate !== null && peer.gate.quantile !== null) peer.gate.quantile.add(ms)
  }

  /** It has not answered for so long, and is waited for. */
  silent(peer: Peer, ms: number): void {
    if (this.outlier === null) return
    this.outlier.latency(peer, ms)
    this.outlier.look(this.peers, this.told)
  }

  private sample(ms: number): void {
    if (this.adaptive!.sample(ms, this.states.tally(this.slot, TALLY.unanswered))) this.freed()
  }

  private tellBreaker(change: BreakerChange, peer: string): void {
    if (change === NO_CHANGE) return
    const facts = peer === "" ? { cluster: this.name } : { cluster: this.name, peer }
    if (change === OPENED) log.warn("upstream", "a breaker opens", facts)
    else if (change === CLOSED_AGAIN) log.info("upstream", "a breaker closes again", facts)
  }

  /** Milliseconds after which a second attempt goes out; 0 = none. */
  hedgeAfter(): number {
    return this.hedgeDelay === null ? 0 : this.hedgeDelay.ms(this.peers)
  }
}
