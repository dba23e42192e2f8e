// HOT
import { assert, type Fault, FAULT, log } from "../../base/index.ts"
import { isCertificateRequired, peerTls, type Wire } from "../../net/index.ts"
import type { AttemptTimes, ClientHooks, SharedConnection, SharedFacts } from "../client-hooks.ts"
import type { Message } from "../message.ts"
import { ClientStream } from "./client-stream.ts"
import { H2Connection } from "./connection.ts"
import { FrameBudget } from "./frame-budget.ts"
import { COMPRESSION_ERROR, NO_ERROR, PREFACE, PROTOCOL_ERROR, SET_HEADER_LIST, SET_PUSH, SET_WINDOW, STREAM_CLOSED } from "./frames.ts"
import type { HpackEncoder } from "./hpack/encoder.ts"
import { responseFields } from "./response-fields.ts"
import type { H2Stream } from "./stream.ts"
import { noFields, trailerFields } from "./trailer-fields.ts"
import { h2PeerTuning, type H2PeerTuning } from "./tuning.ts"

const LAST_ID = 0x7fffffff
/** Streams at the same time until the peer has said how many it takes: more would be given back, or lost, where it takes fewer or speaks no HTTP/2. */
const STREAMS_UNTOLD = 1
/** Frames of a peer that bring nothing, in ten seconds, beside those that exchanges explain. */
const CONTROL_FRAMES_MAX = 10_000
/** An early answer is followed by RST_STREAM, a large upload measured by PING: a busy peer is no flood. */
const FRAMES_AN_EXCHANGE = 4
/** A peer that has been silent for the whole of a head timeout is asked whether it is still there, and has so long to answer. */
const DOUBT_MS = 5000

/** A peer that ends its connections after fewer requests does so for another reason. */
const TAKEN_MIN = 100

/** One connection to a peer that speaks HTTP/2: many exchanges at the same time (RFC 9113). */
export class H2ClientConnection extends H2Connection implements SharedConnection {
  declare readonly tuning: H2PeerTuning
  readonly hooks: ClientHooks
  readonly secure: boolean
  readonly version = 20
  served = 0
  private nextId = 1
  private begun = 0
  /** No further exchange: the peer said so, or we do. */
  private leaving = false
  known = false
  /** Wait for the peer's settings: what they want is not in every server. */
  private unsettled: ClientStream[] = []
  private readonly startedAt: number
  private octetsIn = 0
  /** Got something in this turn that has not been pushed on. */
  private touched: ClientStream[] = []
  private idleSince: number
  private pingedAt = 0
  /** How long the answer to that may take. */
  private pongMs = 0
  /** It is asked because somebody has waited in vain: nobody else should meanwhile. */
  private doubted = false
  private credit = 0
  private readonly controlBudget = new FrameBudget()
  failure: Fault | null = null
  /** Whose answer broke the connection; null = nobody's, or one cannot say. */
  culprit: ClientStream | null = null

  /** `secure`: over TLS. */
  constructor(wire: Wire, hooks: ClientHooks, secure: boolean) {
    super(wire, hooks.time, hooks.limits.h2 ?? h2PeerTuning)
    this.hooks = hooks
    this.secure = secure
    this.startedAt = this.now()
    this.idleSince = this.startedAt
    this.room(PREFACE.length)
    this.out!.set(PREFACE, this.at)
    this.at += PREFACE.length
    this.writeSettings()
    this.arm()
  }

  private writeSettings(): void {
    const pairs = [SET_PUSH, 0, SET_WINDOW, this.tuning.streamWindow, SET_HEADER_LIST, this.hooks.limits.headBytesMax]
    this.announce(pairs, this.tuning.connectionWindow)
    this.flushSoon()
  }

  protected get headBytesMax(): number {
    return this.hooks.limits.headBytesMax
  }

  get usable(): boolean {
    return !this.closed && !this.broken && !this.leaving && !this.doubted && this.streamCount < this.streamsMax
  }

  override get streamCount(): number {
    return this.streams.size + this.unsettled.length
  }

  get streamsMax(): number {
    const max = this.hooks.limits.streamsMax
    return Math.min(max, this.known ? this.peer.streamsMax : STREAMS_UNTOLD)
  }

  get onHold(): boolean {
    return !this.leaving && !this.closed && this.streamsMax === 0
  }

  private get peerName(): string {
    const { remoteAddress, remotePort } = this.wire
    return `${remoteAddress}:${remotePort}`
  }

  facts(): SharedFacts {
    const { octetsIn, served, streamCount: streams } = this
    const octetsOut = this.wire.bytesWritten ?? 0
    return {
      peer: this.peerName,
      protocol: "HTTP/2",
      tls: peerTls(this.wire),
      ageMs: this.now() - this.startedAt,
      streams,
      served,
      octetsIn,
      octetsOut,
    }
  }

  /** It has ended, and its streams with it. */
  get over(): boolean {
    return this.closed
  }

  /** The peer takes extended CONNECT (RFC 8441); false as long as it has not said so. */
  get connects(): boolean {
    return this.peer.connects
  }

  send(m: Message, target: string, times: AttemptTimes): void {
    assert(this.usable, "the connection has room")
    const { requestsMax } = this.hooks.limits
    const { requestsTaken } = this.hooks
    this.begun++
    if ((requestsMax > 0 && this.begun >= requestsMax) || (requestsTaken > 0 && this.begun >= requestsTaken) || this.nextId >= LAST_ID - 2)
      this.leaving = true
    new ClientStream(this, times).begin(m, target)
  }

  /** The stream's head must wait for what the peer says of itself; true = it need not. */
  settledFor(stream: ClientStream): boolean {
    if (!this.known) this.unsettled.push(stream)
    return this.known
  }

  /** The stream begins: ids are given in the order in which heads leave (RFC 9113 section 5.1.1). */
  open(stream: ClientStream): void {
    stream.id = this.nextId
    this.nextId += 2
    stream.sendWindow = this.peer.window
    this.credit = Math.min(this.credit + FRAMES_AN_EXCHANGE, CONTROL_FRAMES_MAX)
    this.streams.set(stream.id, stream)
  }

  /** The peer takes a stream that is not in the map: it waits for settings. */
  override forget(stream: H2Stream): void {
    const at = stream.id === 0 ? this.unsettled.indexOf(stream as ClientStream) : -1
    if (at < 0) {
      super.forget(stream)
      return
    }
    this.unsettled.splice(at, 1)
    this.onStreamGone()
  }

  protected override onSettings(): void {
    this.known = true
    const waiting = this.unsettled
    this.unsettled = []
    for (let i = 0; i < waiting.length; i++) waiting[i]!.go()
    if (!this.closed) this.hooks.changed(this)
  }

  protected override encodeLead(lead: string, encoder: HpackEncoder, out: Buffer, at: number): number {
    let next = at
    // "name\nvalue\n…", as `ClientStream` writes it.
    for (let from = 0; from < lead.length; ) {
      const middle = lead.indexOf("\n", from)
      const end = lead.indexOf("\n", middle + 1)
      next = encoder.pseudo(lead.substring(from, middle), lead.substring(middle + 1, end), out, next)
      from = end + 1
    }
    return next
  }

  // ---- reading

  override onData(wire: Wire, chunk: Buffer): void {
    const { doubted } = this
    this.doubted = false
    this.pingedAt = 0
    this.octetsIn += chunk.length
    super.onData(wire, chunk)
    if (doubted && this.usable) this.hooks.room(this)
    const touched = this.touched
    if (touched.length === 0) return
    this.touched = []
    for (let i = 0; i < touched.length; i++) touched[i]!.flushDown()
  }

  /** Something for its client has come. */
  touch(stream: ClientStream): void {
    this.touched.push(stream)
  }

  protected onHeaders(id: number, block: Buffer, ends: boolean): void {
    const stream = this.streams.get(id) as ClientStream | undefined
    if (stream === undefined || stream.remoteEnded) {
      if (!this.decode(block, noFields)) this.fail(COMPRESSION_ERROR)
      else if (this.isIdle(id)) this.fail(PROTOCOL_ERROR)
      else if (stream !== undefined) this.fail(STREAM_CLOSED)
      else this.spend()
      return
    }
    if (stream.headCame) this.trailersCame(stream, block, ends)
    else this.headCame(stream, block, ends)
  }

  protected override onStray(id: number, known: boolean, bytes: number): void {
    // Clients that go away by the hundred leave more behind than is remembered: an answer to one of them is no reason to end all others.
    if (known || this.isIdle(id) || this.resets.has(id)) super.onStray(id, known, bytes)
    else this.spend()
  }

  private headCame(stream: ClientStream, block: Buffer, ends: boolean): void {
    const m = stream.message
    if (m !== null) responseFields.begin(m, this.hooks.limits)
    if (!this.decode(block, m === null ? noFields : responseFields)) this.failFor(stream, COMPRESSION_ERROR)
    else if (m !== null) stream.receiveHead(responseFields.finish(ends), ends)
  }

  private failFor(stream: ClientStream, code: number): void {
    this.culprit = stream
    this.fail(code)
  }

  private trailersCame(stream: ClientStream, block: Buffer, ends: boolean): void {
    trailerFields.begin()
    if (!this.decode(block, trailerFields)) {
      this.failFor(stream, COMPRESSION_ERROR)
      return
    }
    const lines = trailerFields.finish()
    if (!ends || lines === null || !stream.lengthIsRight()) stream.refuse(FAULT.malformedResponse)
    else stream.receiveEnd(lines)
  }

  protected override onDataEnd(stream: H2Stream): void {
    if ((stream as ClientStream).lengthIsRight()) stream.receiveEnd("")
    else (stream as ClientStream).refuse(FAULT.malformedResponse)
  }

  protected isIdle(id: number): boolean {
    return id >= this.nextId || (id & 1) === 0
  }

  protected onPriority(_id: number, _value: string): void {
    // A server does not say this (RFC 9218 section 7.1).
    this.fail(PROTOCOL_ERROR)
  }

  protected spend(): boolean {
    if (this.credit > 0) {
      this.credit--
      return true
    }
    if (this.controlBudget.spend(this.now(), CONTROL_FRAMES_MAX)) return true
    this.flooded()
    return false
  }

  /** A peer that gives up every stream harms nobody but itself. */
  countReset(): boolean {
    return true
  }

  /** Streams above `last` have not been looked at: they may be sent again, elsewhere (RFC 9113 section 6.8). */
  protected onGoAway(last: number, code: number): void {
    if (code !== NO_ERROR) log.warn("http", "a peer gives an HTTP/2 connection up", { peer: this.peerName, code })
    this.leaving = true
    const streams = [...this.streams.values()] as ClientStream[] // allow(spread): once or twice for a connection
    if (last + 2 < this.nextId && last > TAKEN_MIN * 2) this.hooks.gaveBack((last + 1) >> 1)
    for (let i = 0; i < streams.length; i++) if (streams[i]!.id > last) streams[i]!.unprocessed()
    this.endWhenIdle()
    if (!this.closed) this.hooks.changed(this)
  }

  // Whatever comes is an answer: `onData`.
  protected onPong(): void {}

  protected onStreamGone(): void {
    if (this.closed) return
    if (this.streamCount === 0) this.idleSince = this.now()
    this.endWhenIdle()
    if (this.usable) this.hooks.room(this)
  }

  // ---- ends

  retire(): void {
    this.leaving = true
    this.endWhenIdle()
  }

  private endWhenIdle(): void {
    if (!this.leaving || this.streamCount > 0 || this.closed) return
    this.writeGoAway(0, NO_ERROR)
    this.flushNow()
    this.shut(false)
  }

  close(): void {
    this.leaving = true
    this.shut(false)
  }

  protected lastTaken(): number {
    return 0
  }

  override onClose(wire: Wire, error: Error | null): void {
    if (isCertificateRequired(error)) this.failure = FAULT.certificateWanted
    // In TLS 1.3 a peer says what it thinks of our certificate when the handshake is over for us (RFC 8446 section 4.4.2.4).
    else if ((error as { code?: string } | null)?.code === "EPROTO" && !this.known && !this.closed) this.failure = FAULT.tlsFailed
    super.onClose(wire, error)
  }

  /** Those who have nothing to do with it may try elsewhere. */
  protected onFailing(code: number): void {
    log.warn("http", "a peer broke the rules of HTTP/2", { peer: this.peerName, code })
    this.failure = this.known ? FAULT.closedEarly : FAULT.protocolUnavailable
  }

  protected onShut(): void {
    const waiting = this.unsettled
    this.unsettled = []
    for (let i = 0; i < waiting.length; i++) {
      waiting[i]!.close()
      waiting[i]!.onReset(NO_ERROR)
    }
    this.hooks.gone(this)
  }

  // ---- time

  private arm(): void {
    if (this.closed) return
    const ms = this.pingedAt > 0 ? this.pongMs : this.tuning.pingAfterMs / 2
    this.time.wheel.schedule(this.timer, this.now() + Math.min(this.hooks.limits.idleTimeoutMs, ms))
  }

  protected onTime(): void {
    const now = this.now()
    if (this.streamCount === 0 && now - this.idleSince >= this.hooks.limits.idleTimeoutMs) this.leaving = true
    this.endWhenIdle()
    if (this.closed) return
    if ((this.streamCount > 0 || this.pingedAt > 0 || this.tuning.pingIdle) && !this.stillThere(now)) {
      this.shut(false)
      return
    }
    this.arm()
  }

  private stillThere(now: number): boolean {
    if (this.pingedAt > 0) return now - this.pingedAt < this.pongMs
    if (now - this.readAt >= this.tuning.pingAfterMs) this.ask(now, this.tuning.pongWithinMs)
    return true
  }

  private ask(now: number, pongMs: number): void {
    this.pingedAt = now
    this.pongMs = pongMs
    this.ping()
  }

  /** A stream has waited in vain for an answer: if nothing at all has come `since` then, the peer may be gone without a word. */
  doubt(since: number): void {
    const now = this.now()
    if (this.closed || this.pingedAt > 0 || this.readAt > since) return
    this.doubted = true
    this.ask(now, DOUBT_MS)
    this.arm()
  }
}
