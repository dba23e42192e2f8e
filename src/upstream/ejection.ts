// HOT
import type { Peer } from "./peer.ts"
import { WORD } from "./slot-words.ts"

export interface EjectionOptions {
  /** Failures in a row, over all workers, that eject a peer. Default 5. */
  readonly failures: number
  /** First ejection in milliseconds; doubles with each one that follows without a success between. Default 10 s. */
  readonly eject: number
  /** Longest ejection in milliseconds. Default 5 min. */
  readonly ejectMax: number
  /** Share of the cluster's peers that may be ejected at the same time, rounded down. Default 0.5. */
  readonly ejectedShareMax: number
}

/** Why a peer was ejected. */
export const REASON = { failures: 1, successRate: 2, failureShare: 3, latency: 4 } as const
export type EjectionReason = 1 | 2 | 3 | 4

/** The same in words, by number. */
export const reasonWords: readonly string[] = ["", "failures in a row", "success rate", "share of failures", "latency"]

/** What a report changed. The caller logs the two that are news; each is told once over all workers. */
export const UNCHANGED = 0
export const EJECTED = 1
export const RETURNED = 2
export type EjectionChange = 0 | 1 | 2

/**
 * Takes peers out that fail real requests, in one worker for one cluster. All counts are in the shared states.
 *
 *     in ── failures in a row ──▶ ejected ── time is up ──▶ on trial ── success ──▶ in
 *                                     ▲                        │
 *                                     └── failure, twice as long ┘
 *
 * A peer is never ejected when that leaves no other available, or when too many are out already: then its count stays where it is and the next
 * failure asks again. A success clears the count but does not shorten an ejection: it may be that of a request from before.
 */
export class Ejection {
  private peers: readonly Peer[] = []
  private ejectedMax = 0
  private readonly failuresMax: number
  private readonly firstTenths: number
  private readonly lastTenths: number
  private readonly shareMax: number

  constructor(options: EjectionOptions) {
    this.failuresMax = options.failures
    this.firstTenths = Math.max(1, Math.round(options.eject / 100))
    this.lastTenths = Math.max(this.firstTenths, Math.round(options.ejectMax / 100))
    this.shareMax = options.ejectedShareMax
  }

  /** All peers of the cluster, backups too: with a backup the last primary may go. */
  peersChanged(peers: readonly Peer[]): void {
    this.peers = peers
    // 0.7 of 10 peers is 7, not the 6.99… of binary fractions.
    this.ejectedMax = Math.floor(peers.length * this.shareMax + 1e-9)
  }

  /**
   * What came of a request to `peer`. A failure is one of the peer or the way to it: refused, reset, timed out, broken answer, a status that
   * counts; not one of the client.
   */
  report(peer: Peer, ok: boolean): EjectionChange {
    return ok ? this.reportSuccess(peer) : this.reportFailure(peer)
  }

  private reportSuccess(peer: Peer): EjectionChange {
    const { states, slot } = peer
    states.clearFailures(slot)
    if (states.ejectedUntil(slot) === 0 || states.isEjected(slot)) return UNCHANGED
    // Who was out by comparison answers one request as well as another: its record is clean after a whole interval.
    const compared = Atomics.load(states.words, states.wordOf(slot) + WORD.reason) > REASON.failures
    return states.restore(slot, compared) ? RETURNED : UNCHANGED
  }

  private reportFailure(peer: Peer): EjectionChange {
    const { states, slot } = peer
    const failures = states.addFailure(slot)
    const seen = states.ejectedUntil(slot)
    if (seen === 0 ? failures < this.failuresMax : states.isEjected(slot)) return UNCHANGED
    if (this.mayEject(peer)) return this.out(peer, seen, REASON.failures) ? EJECTED : UNCHANGED
    states.endTrial(slot)
    return UNCHANGED
  }

  /** Ejects a peer that is in and stands out among the others; false where that leaves too few. */
  eject(peer: Peer, reason: EjectionReason): boolean {
    return peer.states.ejectedUntil(peer.slot) === 0 && this.mayEject(peer) && this.out(peer, 0, reason)
  }

  private out(peer: Peer, seen: number, reason: EjectionReason): boolean {
    const { states, slot } = peer
    if (!states.eject(slot, seen, this.tenthsAfter(states.ejections(slot)))) return false
    Atomics.store(states.words, states.wordOf(slot) + WORD.reason, reason)
    if (this.isWithinBounds()) return true
    // Another worker ejected another peer in the same moment. At least one of the two sees both, and steps back.
    states.undoEject(slot, seen)
    return false
  }

  private tenthsAfter(ejections: number): number {
    // 2^30 times any ejection is over ejectMax, and the shift stays in 32 bits.
    const tenths = this.firstTenths * 2 ** (ejections < 30 ? ejections : 30)
    return tenths < this.lastTenths ? tenths : this.lastTenths
  }

  private mayEject(peer: Peer): boolean {
    let ejected = 1
    let others = 0
    for (let index = 0; index < this.peers.length; index++) {
      const other = this.peers[index]!
      if (other === peer) continue
      if (other.states.isEjected(other.slot)) ejected++
      else if (isOpen(other)) others++
    }
    return ejected <= this.ejectedMax && others > 0
  }

  private isWithinBounds(): boolean {
    let ejected = 0
    let open = 0
    for (let index = 0; index < this.peers.length; index++) {
      const peer = this.peers[index]!
      if (peer.states.isEjected(peer.slot)) ejected++
      else if (isOpen(peer)) open++
    }
    return ejected <= this.ejectedMax && open > 0
  }
}

/** Takes requests, whatever this worker's pool has to say for the moment. */
function isOpen(peer: Peer): boolean {
  return peer.weight > 0 && peer.states.isAvailable(peer.slot)
}
