// HOT
import { assert, type Fault, FAULT, Timer, type TimerOwner } from "../base/index.ts"
import { armContinue, type Exchange, fail, FAULT_VERDICT, feedUp, NEXT, resume, type Verdict, WAIT, type Waiter } from "../flow/index.ts"
import type { UpstreamConnection } from "../http/index.ts"
import type { DialFailure, DialHandle, DialHandler, Wire, WireHandler } from "../net/index.ts"
import { type AttemptRules, dialFaultOf, justMoved, mayAskAgain, mayRepeat, nameHost, saysNothingOfPeer, tellTlsFailure } from "./attempt-rules.ts"
import type { Cluster } from "./cluster.ts"
import { Passage } from "./guard/passage.ts"
import { type Outcome, OUTCOME } from "./outcome.ts"
import type { Peer } from "./peer.ts"
import type { Pool, PoolWaiter } from "./pool.ts"
import { Tried } from "./tried.ts"

/** How long to wait for the names of a cluster that has nobody else: a look-up may follow the last one by a second. */
const REFRESH_MS = 2000

/**
 * The attempts of one exchange at one cluster: whom it has tried, whom it uses, what it waits for. Lives with its pooled exchange.
 */
export class Attempt implements DialHandler, PoolWaiter, Waiter, TimerOwner {
  readonly x: Exchange
  cluster: Cluster | null = null
  rules: AttemptRules | null = null
  readonly tried = new Tried()
  /** The list that the indexes in `tried` are those of. */
  private triedOf: readonly Peer[] | null = null
  hash = 0
  peer: Peer | null = null
  pool: Pool | null = null
  private dialing: DialHandle | null = null
  private queued = false
  private timer: Timer | null = null
  /** The next attempt must not use a kept-alive connection. */
  fresh = false
  /** The outcome of this attempt has been reported. */
  reported = false
  /** The meter knows that this attempt failed. */
  metered = false
  /** This attempt repeats an earlier one. */
  private again = false
  /** `judge` has been granted another attempt: `retry` must not ask for a second one. */
  private granted = false
  /** A peer has given the request back over a connection that served others: that has been made good once. */
  private givenBack = false
  private dialedAt = 0
  /** The way past the guard of the cluster; null where it has none. */
  private passage: Passage | null = null
  /** The same object, kept for the next exchange. */
  private ownPassage: Passage | null = null

  constructor(x: Exchange) {
    this.x = x
  }

  /** Starts the first attempt of an exchange. */
  begin(cluster: Cluster, rules: AttemptRules): void {
    assert(this.peer === null, "the last exchange was ended")
    this.cluster = cluster
    this.rules = rules
    this.tried.reset()
    this.hash = cluster.keyOf(this.x)
    this.fresh = false
    this.again = false
    this.granted = false
    this.givenBack = false
    this.x.pump.keepBytesMax = rules.attemptsMax > 1 ? rules.keepBytesMax : 0
    if (rules.only !== undefined) return
    cluster.budget.onRequest()
    if (cluster.guard !== null) this.passage = (this.ownPassage ??= new Passage(this)).begin(cluster.guard, rules.priority ?? null)
  }

  /** Picks a peer for the next attempt. */
  pick(): Verdict {
    this.drop()
    return this.passage === null ? this.choose() : this.passage.enter()
  }

  choose(): Verdict {
    const x = this.x
    const peer = this.next()
    if (peer !== null) {
      this.use(peer)
      return NEXT
    }
    const full = this.passage === null ? null : this.passage.noPeer()
    if (full !== null) return full
    if (!this.cluster!.refreshing(this)) {
      x.fault = FAULT.noPeer
      return FAULT_VERDICT
    }
    x.waiter = this
    this.arm(REFRESH_MS)
    return WAIT
  }

  private next(): Peer | null {
    const peer = this.rules!.only ?? this.pickAgain()
    return this.passage === null ? peer : this.passage.claim(peer)
  }

  pickAgain(): Peer | null {
    return this.cluster!.pick(this.hash, this.tried)
  }

  private use(peer: Peer): void {
    const x = this.x
    this.peer = peer
    this.reported = this.metered = this.rules!.only !== undefined
    x.peer = peer
    x.peerName = peer.name
    x.attempts++
    // Where there is a guard it has counted the request.
    if (this.passage === null) peer.begin()
    const { meter } = this.cluster!
    if (meter !== null && !this.metered) meter.began(peer, this.again)
    if (x.authority === "" && x.version < 11) nameHost(x, peer)
  }

  /** The cluster's names were resolved again while we waited: choose now. */
  onPeersChanged(): void {
    this.disarm()
    this.tried.reset()
    const peer = this.next()
    if (peer === null) {
      this.x.fault = FAULT.noPeer
      resume(this.x, FAULT_VERDICT)
      return
    }
    this.use(peer)
    resume(this.x, NEXT)
  }

  /** Sends the request over a kept-alive connection or a new one. Waits for the response head. */
  forward(): Verdict {
    const x = this.x
    const { passage } = this
    if (passage?.adopting && passage.awaitAdopted()) return WAIT
    const pool = this.cluster!.poolFor(this.peer!, this.x)
    this.pool = pool
    const connection = this.fresh ? null : pool.reuse()
    if (connection !== null) {
      this.send(connection)
      return WAIT
    }
    if (passage !== null && !passage.mayConnect(this.peer!)) return FAULT_VERDICT
    if (pool.settings.protocol === "http3") this.cluster!.joinHttp3(this.peer!, pool, this.rules!.connectMs)
    else if (pool.mayDial()) return this.dial()
    if (this.queue()) return WAIT
    x.fault = pool.refusal
    return FAULT_VERDICT
  }

  /** Waits for a connection; false = too many do, it has waited long enough, or there is somebody else to go to than a peer that is away. */
  private queue(): boolean {
    const pool = this.pool!
    if (pool.isAway && !this.isLast()) return false
    const ms = pool.patienceMs(this.x.startedAt, this.rules!.connectMs)
    this.queued = ms > 0 && pool.wait(this)
    this.x.waiter = this.queued ? this : null
    if (this.queued) this.arm(ms)
    return this.queued
  }

  private dial(): Verdict {
    this.x.waiter = this
    this.dialedAt = this.pool!.time.clock.now()
    this.dialing = this.cluster!.dial(this.peer!, this.rules!.connectMs, this, this.x)
    return WAIT
  }

  private arm(ms: number): void {
    if (this.timer === null) this.timer = new Timer(this)
    const { time } = this.cluster!
    time.wheel.schedule(this.timer, time.clock.now() + ms)
  }

  private disarm(): void {
    this.cluster!.time.wheel.cancel(this.timer!)
  }

  onTimer(): void {
    if (!this.queued) {
      this.cluster!.refreshTimedOut(this)
      return
    }
    const fault = this.pool!.refusal
    this.leaveQueue()
    fail(this.x, fault)
  }

  private leaveQueue(): void {
    if (!this.queued) return
    this.queued = false
    this.pool!.forget(this)
    this.disarm()
  }

  onTurn(connection: UpstreamConnection | null): void {
    this.queued = false
    this.disarm()
    this.x.waiter = null
    if (connection !== null) this.send(connection)
    else this.dial()
  }

  onHttp3Wanted(): void {
    this.cluster!.joinHttp3(this.peer!, this.pool!, this.rules!.connectMs)
  }

  onSharedFailed(fault: Fault): void {
    this.queued = false
    this.disarm()
    this.dialFailed(fault)
  }

  onOpen(wire: Wire, alpn: string): WireHandler | null {
    this.dialing = null
    this.x.waiter = null
    const pool = this.pool!
    pool.time.clock.tick()
    const connection = pool.connected(wire, alpn)
    if (connection === null) {
      fail(this.x, FAULT.protocolUnavailable)
      return null
    }
    const now = pool.time.clock.now()
    this.x.connectedAt = now
    const { meter } = this.cluster!
    if (meter !== null) meter.connected(this.peer!, now - this.dialedAt)
    this.send(connection)
    return connection
  }

  onFailed(kind: DialFailure, detail: string): void {
    this.dialing = null
    if (kind === "tls") tellTlsFailure(this.cluster!.name, this.x.peerName, detail)
    const fault = dialFaultOf(this.x, kind, detail)
    this.pool!.dialFailed(fault)
    this.dialFailed(fault)
  }

  private dialFailed(fault: Fault): void {
    this.cluster!.refreshSoon(fault)
    if (this.pool!.isAway && this.queue()) return
    fail(this.x, fault)
  }

  private send(connection: UpstreamConnection): void {
    const x = this.x
    const rules = this.rules!
    x.reused = connection.served > 0
    x.sentAt = this.pool!.time.clock.now()
    const { generation } = x
    if (this.passage !== null) this.passage.sent()
    connection.send(x, this.cluster!.targetOf(x, rules.absolute), rules.times)
    // What the connection cannot carry at all has failed already.
    if (x.generation !== generation) return
    if (x.expectContinue) armContinue(x, this.pool!.time)
    feedUp(x)
  }

  /** Nobody waits for this attempt any more. */
  cancel(_x: Exchange): void {
    if (this.dialing !== null) {
      this.dialing.cancel()
      this.dialing = null
      this.pool!.dialFailed(null)
    }
    this.leaveQueue()
    if (this.cluster!.forget(this)) this.disarm()
  }

  /** The response head is here: what it says about the peer. FAULT_VERDICT = try again. */
  judge(): Verdict {
    const x = this.x
    const retryStatus = this.rules!.retryStatus
    const { passage } = this
    if (passage !== null) passage.headCame()
    // Of a body that was sent as it came the client decides how long it takes.
    this.report(this.cluster!.outcomeOf(x), x.pump.lost ? -1 : x.headAt - x.sentAt)
    if (retryStatus === null || !retryStatus.has(x.status) || !mayRepeat(x) || !this.another(FAULT.retryStatus)) {
      if (passage !== null) passage.answered()
      return NEXT
    }
    this.granted = true
    x.fault = FAULT.retryStatus
    return FAULT_VERDICT
  }

  /** `ms`: how long the head took, or was waited for; -1 = that says nothing. */
  private report(outcome: Outcome, ms: number): void {
    if (this.reported || this.peer === null) return
    this.reported = true
    this.cluster!.report(this.peer, outcome)
    if (this.passage !== null) this.passage.report(this.peer, outcome, ms)
  }

  /** This attempt ended in a fault of the upstream side. */
  private failed(): void {
    if (this.metered || this.peer === null) return
    this.metered = true
    const { meter } = this.cluster!
    if (meter !== null) meter.failed(this.peer)
  }

  /** Whether the fault of this attempt allows another one; prepares it. Not where somebody else asked upstream for this exchange. */
  retry(): boolean {
    if (this.rules === null) return false
    const x = this.x
    const fault = x.fault!
    this.again = true
    if (fault.source === "upstream") this.blame(fault)
    if (this.granted) {
      this.granted = false
      return true
    }
    if (this.passage?.takesOver(fault)) return true
    if (!x.pump.replayable || x.pump.continued) return false
    if (!mayAskAgain(fault, x.method)) return false
    if (fault.retry === "if-reused" && !this.fresh) {
      // The same peer, but over a connection that cannot have been closed meanwhile. Not an attempt that the peer failed.
      x.attempts--
      this.fresh = true
      return true
    }
    if (justMoved(fault, this.x) && !this.givenBack) {
      x.attempts--
      this.givenBack = true
      // Somebody else next, if there is anybody.
      if (this.noteTried() && !this.cluster!.hasAnother(this.tried)) this.tried.reset()
      return true
    }
    return this.another(fault)
  }

  /** There is nobody else to go to. */
  private isLast(): boolean {
    if (this.x.attempts >= this.rules!.attemptsMax) return true
    this.noteTried()
    return !this.cluster!.hasAnother(this.tried)
  }

  /** False = the peer is in the list no longer. */
  private noteTried(): boolean {
    this.knowTried()
    const index = this.peer === null ? -1 : this.cluster!.indexOf(this.peer)
    if (index >= 0) this.tried.add(index)
    return index >= 0
  }

  /** What has been tried is by index, and those are others in another list. */
  knowTried(): void {
    const { peers } = this.cluster!
    if (this.triedOf === peers) return
    this.triedOf = peers
    this.tried.reset()
  }

  /** The attempt failed. A limit of ours, a connection that had aged and a status that is asked for again say nothing of the peer. */
  private blame(fault: Fault): void {
    this.failed()
    if (justMoved(fault, this.x) || saysNothingOfPeer(fault)) return
    this.report(OUTCOME.fault, fault === FAULT.headTimeoutUpstream ? this.pool!.time.clock.now() - this.x.sentAt : -1)
  }

  private another(fault: Fault): boolean {
    const cluster = this.cluster!
    if (this.x.attempts >= this.rules!.attemptsMax) return false
    this.noteTried()
    if (!cluster.hasAnother(this.tried)) {
      if ((fault.retry === "if-idempotent" || fault === FAULT.streamRefused) && cluster.size === 1) this.tried.reset()
      else if (!cluster.refreshUnderWay) return false
    }
    if (!cluster.budget.tryRetry() || (this.passage !== null && !this.passage.mayRetry())) return false
    this.fresh = fault.retry === "if-idempotent"
    return true
  }

  private drop(): void {
    const peer = this.peer
    if (peer === null) return
    this.peer = null
    peer.finish()
    if (this.passage !== null) this.passage.dropped()
  }

  /** The exchange is over. */
  end(): void {
    const { fault } = this.x
    if (fault !== null && fault.source === "upstream" && this.peer !== null) this.blame(fault)
    this.drop()
    this.passage?.end()
    this.passage = null
    this.triedOf = null
    this.cluster = null
    this.rules = null
    this.pool = null
  }
}
