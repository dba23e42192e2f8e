// HOT
import type { Exchange } from "../../flow/index.ts"
import type { AttemptTimes } from "../../http/index.ts"
import type { DialHandle, DialHandler } from "../../net/index.ts"
import type { Attempt } from "../attempt.ts"
import type { Peer } from "../peer.ts"
import type { Pool } from "../pool.ts"

/** The first attempt as the second one beside it sees it. */
export class HedgedAttempt {
  readonly x: Exchange
  private readonly attempt: Attempt

  constructor(attempt: Attempt) {
    this.x = attempt.x
    this.attempt = attempt
  }

  /** What the request line names. */
  get target(): string {
    return this.attempt.cluster!.targetOf(this.x, this.attempt.rules!.absolute)
  }

  get times(): AttemptTimes {
    return this.attempt.rules!.times
  }

  /** Whose answer is waited for. */
  get peer(): Peer | null {
    return this.attempt.peer
  }

  /** Takes one from the cluster's budget of retries. */
  takeRetry(): boolean {
    return this.attempt.cluster!.budget.tryRetry()
  }

  /** An available peer that the exchange has not tried, which counts as tried from now on. */
  pickAnother(): Peer | null {
    const { attempt } = this
    const cluster = attempt.cluster!
    attempt.knowTried()
    const first = attempt.peer === null ? -1 : cluster.indexOf(attempt.peer)
    if (first >= 0) attempt.tried.add(first)
    const peer = attempt.pickAgain()
    if (peer === null || !peer.isAvailable()) return null
    attempt.tried.add(cluster.indexOf(peer))
    return peer
  }

  poolOf(peer: Peer): Pool {
    return this.attempt.cluster!.poolFor(peer, this.x)
  }

  dial(peer: Peer, handler: DialHandler): DialHandle {
    return this.attempt.cluster!.dial(peer, this.attempt.rules!.connectMs, handler, this.x)
  }

  /** The second attempt goes on as the only one, at this peer, where the request is counted already. Answers whom the exchange was at, if anybody. */
  goOnAt(peer: Peer, pool: Pool, sentAt: number): Peer | null {
    const { x, attempt } = this
    const former = attempt.peer
    const { up } = x
    x.up = null
    if (up !== null) up.abort()
    if (former !== null) former.finish()
    attempt.peer = peer
    attempt.pool = pool
    attempt.reported = false
    attempt.metered = false
    x.peer = peer
    x.peerName = peer.name
    x.sentAt = sentAt
    x.attempts++
    return former
  }
}
