import { type Ejection, REASON, type EjectionReason } from "../ejection.ts"
import { logOfMs, msOfLog, ratioOfLogs } from "../log-latency.ts"
import type { Peer } from "../peer.ts"
import type { PeerStates } from "../peer-states.ts"
import { WORD } from "../slot-words.ts"

/** When a comparison is made at all. */
interface Sample {
  /** Requests that a peer must have had in the interval to be compared. */
  readonly requestsMin: number
  /** Peers with as many that there must be. */
  readonly hostsMin: number
}

export interface OutlierOptions {
  readonly intervalMs: number
  /** Ejects a peer whose success rate is so many standard deviations below the mean of all. */
  readonly successRate: (Sample & { readonly stdevs: number }) | null
  /** Ejects a peer of whose requests this share fails. */
  readonly failureShare: (Sample & { readonly share: number }) | null
  /** Ejects a peer that takes so many times as long as the median peer, and no less than the floor. */
  readonly latency: (Sample & { readonly times: number; readonly floorMs: number }) | null
}

/** What one peer did in an interval. */
interface Record {
  readonly peer: Peer
  readonly requests: number
  readonly failed: number
  readonly answers: number
  /** Mean of the logarithms. */
  readonly latency: number
}

/** Told for each peer that is out. `detail` says why, in words. */
export type EjectionTold = (peer: Peer, reason: EjectionReason, detail: string) => void

/**
 * Compares the peers of a cluster with each other once an interval and ejects those that stand out, as Envoy's outlier detection does by success
 * rate and failure percentage, and by latency too. Counts are those of all workers; the first worker to report after the interval's end compares.
 */
export class Outlier {
  private readonly states: PeerStates
  private readonly base: number
  private readonly options: OutlierOptions
  private readonly ejection: Ejection
  private readonly tenths: number

  /** `slot` is the cluster's. */
  constructor(states: PeerStates, slot: number, options: OutlierOptions, ejection: Ejection) {
    this.states = states
    this.base = states.wordOf(slot)
    this.options = options
    this.ejection = ejection
    this.tenths = Math.max(1, Math.round(options.intervalMs / 100))
  }

  /** An attempt ended. */
  outcome(peer: Peer, failed: boolean): void {
    const at = this.states.wordOf(peer.slot)
    Atomics.add(this.states.words, at + WORD.outcomes, 1)
    if (failed) Atomics.add(this.states.words, at + WORD.failed, 1)
  }

  /** The head came after `ms`, or nobody waited for it any longer. */
  latency(peer: Peer, ms: number): void {
    const at = this.states.wordOf(peer.slot)
    Atomics.add(this.states.words, at + WORD.latencies, 1)
    Atomics.add(this.states.words, at + WORD.latencySum, logOfMs(ms))
  }

  /** Compares when an interval is over. */
  look(peers: readonly Peer[], told: EjectionTold): void {
    const { words } = this.states
    const now = this.states.now()
    const seen = Atomics.load(words, this.base + WORD.sweptAt)
    if (seen !== 0 && now >= seen && now < seen + this.tenths) return
    if (Atomics.compareExchange(words, this.base + WORD.sweptAt, seen, now) !== seen) return
    const records = peers.map(peer => this.take(peer))
    // What was counted before the first interval began is of no interval.
    if (seen === 0 || now < seen) return
    const inside = records.filter(({ peer }) => peer.states.ejectedUntil(peer.slot) === 0)
    for (const { peer, reason, detail } of this.judge(inside)) if (this.ejection.eject(peer, reason)) told(peer, reason, detail)
    for (const record of inside) this.forgive(record)
  }

  private take(peer: Peer): Record {
    const { words } = this.states
    const at = this.states.wordOf(peer.slot)
    const requests = Atomics.exchange(words, at + WORD.outcomes, 0)
    const failed = Atomics.exchange(words, at + WORD.failed, 0)
    const answers = Atomics.exchange(words, at + WORD.latencies, 0)
    const sum = Atomics.exchange(words, at + WORD.latencySum, 0)
    return { peer, requests, failed, answers, latency: answers === 0 ? 0 : sum / answers }
  }

  private judge(records: readonly Record[]): { peer: Peer; reason: EjectionReason; detail: string }[] {
    return [...this.byShare(records), ...this.bySuccessRate(records), ...this.byLatency(records)]
  }

  private byShare(records: readonly Record[]) {
    const rule = this.options.failureShare
    if (rule === null) return []
    const compared = records.filter(({ requests }) => requests >= rule.requestsMin)
    if (compared.length < rule.hostsMin) return []
    return compared
      .filter(({ requests, failed }) => failed >= requests * rule.share)
      .map(({ peer, requests, failed }) => ({ peer, reason: REASON.failureShare, detail: `${failed} of ${requests} requests failed` }))
  }

  private bySuccessRate(records: readonly Record[]) {
    const rule = this.options.successRate
    if (rule === null) return []
    const compared = records.filter(({ requests }) => requests >= rule.requestsMin)
    if (compared.length < rule.hostsMin) return []
    const rates = compared.map(({ requests, failed }) => 1 - failed / requests)
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length
    const deviation = Math.sqrt(rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length)
    const least = mean - rule.stdevs * deviation
    return compared
      .filter((_, index) => rates[index]! < least)
      .map(({ peer, requests, failed }) => ({
        peer,
        reason: REASON.successRate,
        detail: `success rate ${percent(1 - failed / requests)}, the cluster's ${percent(mean)}, least ${percent(least)}`,
      }))
  }

  private byLatency(records: readonly Record[]) {
    const rule = this.options.latency
    if (rule === null) return []
    const compared = records.filter(({ answers }) => answers >= rule.requestsMin)
    // Where all clients wait for one peer, the others answer nothing in this interval: then it counts what was usual for them.
    const usual = records.filter(({ answers }) => answers < rule.requestsMin).map(({ peer }) => this.usual(peer))
    const sorted = [...compared.map(({ latency }) => latency), ...usual.filter(latency => latency >= 0)].sort((a, b) => a - b)
    for (const { peer, latency } of compared) Atomics.store(this.states.words, this.states.wordOf(peer.slot) + WORD.usual, Math.round(latency) + 1)
    if (sorted.length < rule.hostsMin) return []
    // Of two the faster one: that the other is slow is seen only beside it.
    const median = sorted[(sorted.length - 1) >> 1]!
    return compared
      .filter(({ latency }) => ratioOfLogs(latency - median) >= rule.times && msOfLog(latency) >= rule.floorMs)
      .map(({ peer, latency }) => ({
        peer,
        reason: REASON.latency,
        detail: `answers take ${Math.round(msOfLog(latency))}ms, the median peer's ${Math.round(msOfLog(median))}ms`,
      }))
  }

  /** -1 = nothing is known. */
  private usual(peer: Peer): number {
    return Atomics.load(this.states.words, this.states.wordOf(peer.slot) + WORD.usual) - 1
  }

  /** A whole interval inside with requests and without standing out: the next ejection is the first again. */
  private forgive({ peer, requests }: Record): void {
    const { states, slot } = peer
    if (requests > 0 && states.ejectedUntil(slot) === 0) states.forgetEjections(slot)
  }
}

function percent(share: number): string {
  return `${(Math.max(0, share) * 100).toFixed(1)}%`
}
