// HOT
import { assert, type Fault, FAULT, Timer, type TimerOwner } from "../../base/index.ts"
import { type Exchange, fail, FAULT_VERDICT, NEXT, resume, type Verdict, WAIT, type Waiter } from "../../flow/index.ts"
import { BODY_TUNNEL } from "../../http/index.ts"
import { OPEN, PASSES, REFUSED, TRIAL } from "../breaker/breaker.ts"
import { Hedge } from "../hedge/hedge.ts"
import { HedgedAttempt } from "../hedge/hedged-attempt.ts"
import type { Attempt } from "../attempt.ts"
import type { Outcome } from "../outcome.ts"
import type { Peer } from "../peer.ts"
import { LOW, NORMAL, type Priority, type PriorityClass, priorityOf } from "../queue/priority.ts"
import type { QueueWaiter } from "../queue/wait-queue.ts"
import { TALLY } from "../slot-words.ts"
import type { Guard } from "./guard.ts"

/** Peers that are asked for a place, one after the other, when workers want the same last ones. */
const CLAIMS_MAX = 8

/**
 * The way of one exchange past the guard of its cluster: through the breaker, the limits and the queue, with a second attempt beside the first.
 * Holds what has been taken for it and gives each of it back once. Lives with its attempt, which asks for it only where the cluster has a guard.
 */
export class Passage implements Waiter, QueueWaiter, TimerOwner {
  private readonly x: Exchange
  private readonly attempt: Attempt
  private guard: Guard | null = null
  priority: PriorityClass = NORMAL
  before: QueueWaiter | null = null
  behind: QueueWaiter | null = null
  private timer: Timer | null = null
  private joinedAt = 0
  private waiting = false
  /** A place in the cluster is taken; under an adaptive limit also one of those without an answer. */
  private holdsPlace = false
  private holdsAnswer = false
  private retries = false
  /** The peer at which this attempt is counted as one without a connection, and as a retry. */
  private pendingAt: Peer | null = null
  private retryAt: Peer | null = null
  private trial = false
  private peerTrial = false
  /** The queue called; `full`: but there is no peer for it yet. */
  private called = false
  private full = false
  private hedge: Hedge | null = null
  /** The second attempt goes on as the only one. */
  adopting = false

  constructor(attempt: Attempt) {
    this.x = attempt.x
    this.attempt = attempt
  }

  begin(guard: Guard, priority: Priority | null): this {
    assert(this.guard === null, "one passage at a time")
    this.guard = guard
    this.priority = priorityOf(this.x, priority)
    if (guard.hedgeBudget !== null) guard.hedgeBudget.onRequest()
    return this
  }

  // ---- a place in the cluster

  /** An attempt begins: the first one needs a place. */
  enter(): Verdict {
    const guard = this.guard!
    guard.lookAtPanic()
    if (this.adopting) return this.adopt()
    if (this.holdsPlace) return this.attempt.choose()
    if (guard.shedding?.refuses(this.priority)) return this.refuse(FAULT.overloaded, 1)
    if (guard.breaker !== null && guard.breaker.state === OPEN) return this.refuseOpen()
    const { queue } = guard
    if ((queue === null || queue.waitingUpTo(this.priority) === 0) && guard.take()) return this.placed()
    return queue === null ? this.refuse(FAULT.requestsMax, 1) : this.join()
  }

  /** A place is taken. */
  private placed(): Verdict {
    const guard = this.guard!
    this.holdsPlace = true
    this.holdsAnswer = guard.adaptive !== null
    if (guard.breaker !== null) {
      const admission = guard.breaker.admit()
      if (admission === REFUSED) return this.refuseOpen()
      this.trial = admission === TRIAL
    }
    return this.attempt.choose()
  }

  private refuseOpen(): Verdict {
    return this.refuse(FAULT.breakerOpen, Math.max(1, Math.ceil(this.guard!.breaker!.tenthsLeft / 10)))
  }

  private refuse(fault: Fault, afterSeconds: number): Verdict {
    this.x.fault = fault
    this.x.replyFields = `Retry-After: ${afterSeconds}\r\n`
    if (this.guard!.meter !== null) this.guard!.meter.refused()
    return FAULT_VERDICT
  }

  /** No peer is left: waits where that is because of their limits, else null. */
  noPeer(): Verdict | null {
    const guard = this.guard!
    if (!guard.isFull) return null
    // Another attempt is a favour: it does not stand in the way of those who wait for a first one.
    if (this.x.attempts > 0) return this.refuse(FAULT.requestsMax, 1)
    if (this.called) {
      this.full = true
      return WAIT
    }
    if (guard.queue === null) return this.refuse(FAULT.requestsMax, 1)
    this.giveUpPlace()
    return this.join()
  }

  private join(): Verdict {
    const { queue, time } = this.guard!
    if (!queue!.join(this)) return this.refuse(this.priority === LOW ? FAULT.overloaded : FAULT.queueFull, 1)
    this.waiting = true
    this.joinedAt = time.clock.now()
    this.x.waiter = this
    if (this.timer === null) this.timer = new Timer(this)
    time.wheel.schedule(this.timer, this.joinedAt + queue!.options.timeoutMs)
    // A place may have become free before it was known that somebody waits.
    queue!.look()
    return WAIT
  }

  onTurn(): boolean {
    const { x } = this
    x.waiter = null
    this.called = true
    this.full = false
    const verdict = this.placed()
    if (this.full) {
      x.waiter = this
      // Nobody is told: that place was free before, and of no use.
      this.giveUpPlace()
      this.called = false
      return false
    }
    this.called = false
    this.left()
    if (verdict !== WAIT) resume(x, verdict)
    return true
  }

  private left(): void {
    const { time, meter } = this.guard!
    this.waiting = false
    time.wheel.cancel(this.timer!)
    if (meter !== null) meter.waited(time.clock.now() - this.joinedAt)
  }

  onEvicted(): void {
    this.left()
    this.refuse(FAULT.overloaded, 1)
    fail(this.x, FAULT.overloaded)
  }

  onTimer(): void {
    this.guard!.queue!.leave(this)
    this.left()
    this.refuse(FAULT.queueTimeout, 1)
    fail(this.x, FAULT.queueTimeout)
  }

  /** Nobody waits for this exchange any more. */
  cancel(_x: Exchange): void {
    if (this.waiting) {
      this.guard!.queue!.leave(this)
      this.left()
    }
    if (this.hedge !== null) this.hedge.cancel()
  }

  // ---- a peer

  /** Counts the request at a peer that takes it: this one, or another that is picked instead. */
  claim(first: Peer | null): Peer | null {
    let peer = first
    for (let tries = 0; peer !== null && tries < CLAIMS_MAX; tries++) {
      if (this.claimOne(peer)) return peer
      peer = this.attempt.pickAgain()
    }
    return null
  }

  private claimOne(peer: Peer): boolean {
    const gate = peer.gate!
    const { retriesMax } = gate.limits
    if (!gate.begin(peer)) return false
    const admission = gate.breaker === null ? PASSES : gate.breaker.admit()
    const counted = this.retries && retriesMax > 0
    if (admission === REFUSED || (counted && !peer.states.tryTake(peer.slot, TALLY.retries, retriesMax))) {
      peer.finish()
      return false
    }
    this.peerTrial = admission === TRIAL
    if (counted) this.retryAt = peer
    return true
  }

  /** The attempt needs a connection that is not there. A fault when too many wait for one already. */
  mayConnect(peer: Peer): boolean {
    const { states, slot, limits } = this.guard!
    const most = peer.gate!.limits.pendingMax
    if (!states.tryTake(peer.slot, TALLY.pending, most === 0 ? Infinity : most)) return this.tooManyPending()
    this.pendingAt = peer
    if (states.tryTake(slot, TALLY.pending, limits.pendingMax === 0 ? Infinity : limits.pendingMax)) return true
    this.pendingAt = null
    states.give(peer.slot, TALLY.pending)
    return this.tooManyPending()
  }

  private tooManyPending(): boolean {
    this.refuse(FAULT.pendingMax, 1)
    return false
  }

  /** The request is on its way. */
  sent(): void {
    const guard = this.guard!
    this.connected()
    if (guard.hedgeDelay === null || this.adopting) return
    // allow(closure): once an attempt, which lives with its pooled exchange
    if (this.hedge === null) this.hedge = new Hedge(new HedgedAttempt(this.attempt), (peer, ms) => this.outrun(peer, ms))
    this.hedge.arm(guard)
  }

  private connected(): void {
    const { pendingAt } = this
    if (pendingAt === null) return
    this.pendingAt = null
    const { states, slot } = this.guard!
    states.give(slot, TALLY.pending)
    states.give(pendingAt.slot, TALLY.pending)
  }

  /** Whether the cluster has room for another retry. */
  mayRetry(): boolean {
    const { states, slot, limits } = this.guard!
    if (this.retries) return true
    this.retries = states.tryTake(slot, TALLY.retries, limits.retriesMax === 0 ? Infinity : limits.retriesMax)
    return this.retries
  }

  // ---- what came of the attempt

  /** The head of the answer is here. */
  headCame(): void {
    if (this.hedge !== null) this.hedge.cancel()
  }

  /** It is the answer that the client gets. A tunnel is no request that the peer works on. */
  answered(): void {
    this.giveUpAnswer()
    if (this.x.responseBody === BODY_TUNNEL) this.giveUpPlace()
  }

  report(peer: Peer, outcome: Outcome, ms: number): void {
    this.guard!.report(peer, outcome, ms, this.trial, this.peerTrial)
    this.trial = false
    this.peerTrial = false
  }

  /** The attempt failed, and a second one is under way: it goes on as the only one. */
  takesOver(fault: Fault): boolean {
    if (this.hedge === null || !this.hedge.isUnderWay) return false
    if (fault.source === "upstream") {
      this.adopting = true
      return true
    }
    this.hedge.cancel()
    return false
  }

  private adopt(): Verdict {
    this.hedge!.adopt()
    return NEXT
  }

  /** Waits for what was adopted; false when it ended while filters had their turn. */
  awaitAdopted(): boolean {
    this.adopting = false
    const hedge = this.hedge!
    if (!hedge.isUnderWay) return false
    hedge.awaited = true
    this.x.waiter = this
    return true
  }

  /** Another peer was faster than this one, for which nobody waits after `ms`. */
  private outrun(peer: Peer, ms: number): void {
    this.leavePeer()
    this.guard!.outrun(peer, ms)
  }

  private leavePeer(): void {
    const { retryAt } = this
    this.peerTrial = false
    this.retryAt = null
    if (retryAt !== null) retryAt.states.give(retryAt.slot, TALLY.retries)
  }

  /** The attempt's peer is done with it. */
  dropped(): void {
    this.connected()
    this.leavePeer()
    if (this.hedge !== null && !this.adopting) this.hedge.drop()
    if (this.guard!.options.peer !== null) this.guard!.freed()
  }

  // ---- the end

  end(): void {
    if (this.hedge !== null) this.hedge.end()
    this.adopting = false
    this.connected()
    this.leavePeer()
    const guard = this.guard!
    if (this.retries) guard.states.give(guard.slot, TALLY.retries)
    this.retries = false
    this.trial = false
    this.giveUpPlace()
    this.guard = null
  }

  private giveUpPlace(): void {
    this.giveUpAnswer()
    if (!this.holdsPlace) return
    this.holdsPlace = false
    const guard = this.guard!
    guard.states.give(guard.slot, TALLY.inFlight)
    if (!this.called) guard.freed()
  }

  private giveUpAnswer(): void {
    if (!this.holdsAnswer) return
    this.holdsAnswer = false
    const guard = this.guard!
    guard.states.give(guard.slot, TALLY.unanswered)
    if (!this.called) guard.freed()
  }
}
