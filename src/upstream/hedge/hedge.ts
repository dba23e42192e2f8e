// HOT
import { assert, type Fault, FAULT, Timer, type TimerOwner } from "../../base/index.ts"
import { type Exchange, fail } from "../../flow/index.ts"
import { BODY_NONE, type BodyKind, type Downstream, Fields, type Message, type Upstream, type UpstreamConnection } from "../../http/index.ts"
import type { DialFailure, DialHandle, DialHandler, Wire, WireHandler } from "../../net/index.ts"
import { isIdempotent } from "../attempt-rules.ts"
import type { Guard } from "../guard/guard.ts"
import type { Peer } from "../peer.ts"
import type { Pool } from "../pool.ts"
import type { HedgedAttempt } from "./hedged-attempt.ts"

/** The longest wait until a second attempt that was not allowed asks again. */
const AGAIN_MS_MAX = 1000

const IDLE = 0
/** Nobody has answered for a while; it may go when the timer rings. */
const ARMED = 1
const UNDER_WAY = 2
/** Its answer is the client's. */
const WON = 3

/**
 * The second attempt of one exchange. It is a message of its own for the codec of its connection: it shows what the exchange sends, and takes the
 * head of the answer. The first head wins; from then on it passes on to the exchange what comes.
 */
export class Hedge implements Message, DialHandler, TimerOwner {
  private readonly hedged: HedgedAttempt
  private readonly x: Exchange
  /** Told of the peer that was slower, after so many milliseconds. */
  private readonly outrun: (peer: Peer, ms: number) => void
  private guard: Guard | null = null
  private state = IDLE
  /** The peer that counts it, until the exchange goes on there. */
  private peer: Peer | null = null
  private pool: Pool | null = null
  private dialing: DialHandle | null = null
  private sentAt = 0
  private delayMs = 0
  private readonly timer = new Timer(this)
  /** The first attempt has failed: this one is the exchange's own. */
  private adopted = false
  /** The exchange waits for its answer, not for a filter. */
  awaited = false

  method = ""
  scheme = ""
  host = ""
  authority = ""
  port = 0
  path = ""
  rulePath = ""
  query = ""
  version = 11
  request: Fields
  requestBody: BodyKind = BODY_NONE
  requestLength = 0
  upgrade = ""
  encodedSlash = false
  forwardForm = false
  expectContinue = false
  readonly fault: Message["fault"] = null
  status = 0
  reason = ""
  response = new Fields()
  responseBody: BodyKind = BODY_NONE
  responseLength = 0
  up: Upstream | null = null
  startedAt = 0

  constructor(hedged: HedgedAttempt, outrun: (peer: Peer, ms: number) => void) {
    this.hedged = hedged
    this.outrun = outrun
    this.x = hedged.x
    this.request = this.x.request
  }

  get isUnderWay(): boolean {
    return this.state === UNDER_WAY
  }

  /** The first attempt has been sent: when it is not answered in time, a second one follows. */
  arm(guard: Guard): void {
    const { x } = this
    if (this.state !== IDLE || x.upgrade !== "" || x.expectContinue || !isIdempotent(x.method)) return
    const delay = guard.hedgeAfter()
    if (delay === 0) return
    this.guard = guard
    this.state = ARMED
    this.delayMs = delay
    guard.fine.schedule(this.timer, delay)
  }

  onTimer(): void {
    assert(this.state === ARMED, "only what is armed rings")
    const peer = this.mayGo() ? this.hedged.pickAnother() : null
    if (peer !== null && this.start(peer)) return
    // Later there may be another peer, or more of the budget; until then it waits for longer and longer.
    const guard = this.guard!
    guard.silent(this.hedged.peer!, guard.time.clock.now() - this.x.sentAt)
    this.delayMs = Math.min(this.delayMs * 2, Math.max(this.delayMs, AGAIN_MS_MAX))
    guard.fine.schedule(this.timer, this.delayMs)
  }

  /** Who is at a peer that has been ejected meanwhile is taken away from there: that is a retry, and no luxury. */
  private mayGo(): boolean {
    const { pump, requestBody } = this.x
    if (requestBody !== BODY_NONE && (!pump.requestEnded || !pump.replayable)) return false
    const { states, slot } = this.hedged.peer!
    if (!states.isEjected(slot) && !this.guard!.hedgeBudget!.tryRetry()) return false
    return this.hedged.takeRetry()
  }

  private start(peer: Peer): boolean {
    if (!peer.gate!.begin(peer)) return false
    this.state = UNDER_WAY
    this.peer = peer
    this.adopted = false
    this.pool = this.hedged.poolOf(peer)
    const connection = this.pool.reuse()
    if (connection === null && (this.pool.settings.protocol === "http3" || !this.pool.mayDial())) {
      this.letGo()
      this.state = ARMED
      return false
    }
    if (this.guard!.meter !== null) this.guard!.meter.hedged(peer)
    if (connection !== null) this.send(connection)
    else this.dialing = this.hedged.dial(peer, this)
    return true
  }

  onOpen(wire: Wire, alpn: string): WireHandler | null {
    this.dialing = null
    const connection = this.pool!.connected(wire, alpn)
    if (connection === null) {
      this.failed(FAULT.protocolUnavailable)
      return null
    }
    this.send(connection)
    return connection
  }

  onFailed(_kind: DialFailure, _detail: string): void {
    this.dialing = null
    this.pool!.dialFailed(FAULT.connectFailed)
    this.failed(FAULT.connectFailed)
  }

  private send(connection: UpstreamConnection): void {
    const { x } = this
    this.showRequest()
    this.sentAt = this.guard!.time.clock.now()
    connection.send(this, this.hedged.target, this.hedged.times)
    const up = this.up
    // What the connection cannot carry at all has failed already.
    if (up === null) return
    const kept = x.pump.kept
    if (kept !== null) for (let i = 0; i < kept.length && this.up === up; i++) up.sendBody(kept[i]!)
    if (this.up === up) up.sendEnd(x.pump.requestTrailers)
  }

  private showRequest(): void {
    const { x } = this
    this.method = x.method
    this.scheme = x.scheme
    this.host = x.host
    this.authority = x.authority
    this.port = x.port
    this.path = x.path
    this.rulePath = x.rulePath
    this.query = x.query
    this.version = x.version
    this.request = x.request
    this.requestBody = x.requestBody
    this.requestLength = x.requestLength
    this.forwardForm = x.forwardForm
    this.startedAt = x.startedAt
    this.status = 0
    this.response.reset("")
  }

  // ---- what the connection says

  get down(): Downstream | null {
    return this.state === WON ? this.x.down : null
  }

  get clientAddress(): string {
    return this.x.clientAddress
  }

  get user(): string {
    return this.x.user
  }

  get takesLentRequest(): boolean {
    return false
  }

  get takesLentResponse(): boolean {
    return this.state === WON && this.x.takesLentResponse
  }

  onResponseHead(): void {
    const { x, peer, pool } = this
    if (this.adopted && !this.awaited) {
      // Filters have their turn with the request: it goes out anew behind them.
      this.stop()
      return
    }
    this.state = WON
    this.awaited = false
    if (!this.adopted) {
      this.peer = null
      if (this.guard!.meter !== null) this.guard!.meter.hedgeWon()
      const waited = this.guard!.time.clock.now() - x.sentAt
      const former = this.hedged.goOnAt(peer!, pool!, this.sentAt)
      if (former !== null) this.outrun(former, waited)
    }
    this.adopted = false
    const before = x.response
    x.response = this.response
    this.response = before
    x.status = this.status
    x.reason = this.reason
    x.responseBody = this.responseBody
    x.responseLength = this.responseLength
    x.up = this.up
    x.onResponseHead()
  }

  onInterim(status: number, lines: string): void {
    if (this.state === WON) this.x.onInterim(status, lines)
  }

  onResponseBody(chunk: Uint8Array): void {
    if (this.state === WON) this.x.onResponseBody(chunk)
  }

  onResponseText(text: string): void {
    if (this.state === WON) this.x.onResponseText(text)
  }

  onResponseEnd(trailers: string): void {
    if (this.state !== WON) return
    this.state = IDLE
    this.x.onResponseEnd(trailers)
  }

  onUpFault(fault: Fault): void {
    this.up = null
    if (this.state === WON) {
      this.state = IDLE
      this.x.onUpFault(fault)
    } else this.failed(fault)
  }

  onUpDrain(): void {}
  onRequestBody(): void {}
  onRequestEnd(): void {}
  onRequestFault(): void {}
  onClientGone(): void {}
  onDownDrain(): void {}

  // ---- ends

  private failed(fault: Fault): void {
    if (this.state !== UNDER_WAY) return
    this.state = IDLE
    if (this.adopted) {
      this.adopted = false
      // Who has not come as far finds out then.
      if (this.awaited) fail(this.x, fault)
      return
    }
    this.letGo()
  }

  private letGo(): void {
    const { peer } = this
    this.peer = null
    if (peer !== null) peer.finish()
  }

  /** The first attempt has failed: the exchange goes on at this one's peer and waits for its answer. */
  adopt(): void {
    const { peer, pool } = this
    this.peer = null
    this.awaited = false
    // It may have ended in the same moment.
    this.adopted = this.state === UNDER_WAY
    this.hedged.goOnAt(peer!, pool!, this.sentAt)
  }

  /** It is not needed any more. */
  cancel(): void {
    if (this.state === ARMED) {
      this.guard!.fine.cancel(this.timer)
      this.state = IDLE
    } else if (this.state === UNDER_WAY) this.stop()
  }

  private stop(): void {
    this.state = IDLE
    this.adopted = false
    const { up, dialing } = this
    this.up = null
    this.dialing = null
    if (dialing !== null) {
      dialing.cancel()
      this.pool!.dialFailed(null)
    }
    if (up !== null) up.abort()
    this.letGo()
  }

  /** The attempt is over, whoever has answered. */
  drop(): void {
    this.cancel()
    this.state = IDLE
    this.up = null
  }

  /** The exchange is over. */
  end(): void {
    this.cancel()
    this.state = IDLE
    this.up = null
    this.guard = null
    this.pool = null
    this.request = this.x.request
  }
}
