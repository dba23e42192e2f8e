// HOT
import { assert, type Fault, FAULT } from "../../base/index.ts"
import { isCertificateRequired, type Wire, type WireHandler } from "../../net/index.ts"
import { BODY_CHUNKED, BODY_CLOSE, BODY_LENGTH, BODY_NONE, BODY_TUNNEL, type BodyKind, type Message } from "../message.ts"
import { NAME } from "../names.ts"
import type { TunnelEnd, Upstream } from "../sides.ts"
import { CHUNKS_BAD, CHUNKS_DONE, ChunkDecoder } from "./chunked.ts"
import type { ClientHooks } from "../client-hooks.ts"
import { AGREED, BODY, ClientWriter, CLOSED, HEAD, IDLE } from "./client-writer.ts"
import { listHas } from "../grammar.ts"
import { connection as options, stripHopByHop } from "./hop-by-hop.ts"
import { parseResponseHead, RESPONSE_REFUSED, responseHead } from "./response-head.ts"
import { mayYetBeMended, mendHead } from "./mend-head.ts"
import { cleanTrailers } from "./trailers.ts"
import { H1Tunnel, type TunnelOwner } from "./tunnel-end.ts"

const SMALL_HEAD = 4096
const TRAILER_BYTES_MAX = 16 * 1024
const INTERIM_MAX = 16

/** One connection to a peer that speaks HTTP/1.1: one exchange at a time, kept alive between them. */
export class ClientConnection extends ClientWriter implements WireHandler, Upstream, TunnelOwner {
  private readonly hooks: ClientHooks
  /** The pool's own notes. */
  readonly pool: unknown
  private ahead: Buffer | null = null
  private chunks: ChunkDecoder | null = null
  private bodyKind: BodyKind = BODY_NONE
  private remaining = 0
  private keepAlive = true
  private limitMs = 0
  private interims = 0
  /** Exchanges that this connection has finished. */
  served = 0
  /** Monotonic ms when it went idle. */
  idleSince = 0

  constructor(wire: Wire, hooks: ClientHooks, pool: unknown) {
    super(wire, hooks.time)
    this.hooks = hooks
    this.pool = pool
  }

  get usable(): boolean {
    return this.state === IDLE && !this.closed
  }

  protected begin(m: Message): void {
    m.up = this
    this.interims = 0
    this.keepAlive = true
  }

  protected takesLent(): boolean {
    return this.state === BODY && this.m !== null && this.m.takesLentResponse
  }

  protected onLent(chunk: Buffer): void {
    this.readBody(chunk)
    this.flushDown()
  }

  protected onBroken(): void {
    this.lost()
  }

  /** The end of a turn: what has come goes to the client, and the source waits for a client that has enough. */
  private flushDown(): void {
    const m = this.m
    if (m !== null && m.down !== null && !m.down.flush() && this.state === BODY) this.pauseBody()
  }

  // ---- receiving

  onData(_wire: Wire, chunk: Buffer): void {
    this.time.clock.tick()
    switch (this.state) {
      case HEAD:
        this.answering = true
        this.readHead(this.ahead === null ? chunk : Buffer.concat([this.ahead, chunk]))
        break
      case BODY:
        this.readBody(chunk)
        break
      case IDLE:
        // Nobody asked: whatever it is, it must not become the next client's answer.
        this.close()
        return
      case AGREED:
        this.ahead = this.ahead === null ? chunk : Buffer.concat([this.ahead, chunk])
        return
      default:
        return
    }
    this.flushDown()
    this.readOn(chunk.length)
  }

  private readHead(buffer: Buffer): void {
    this.ahead = null
    let rest: Buffer | null = buffer
    while (rest !== null && this.state === HEAD) rest = this.readOneHead(rest)
    if (rest !== null && this.state === BODY) this.readBody(rest)
  }

  private readOneHead(buffer: Buffer): Buffer | null {
    const m = this.m!
    const limit = this.hooks.limits.headBytesMax
    let end = buffer.length
    if (end > SMALL_HEAD) {
      const blank = buffer.indexOf("\r\n\r\n")
      end = blank >= 0 ? blank + 4 : Math.min(end, limit + 4)
    }
    let text = buffer.latin1Slice(0, end)
    let used = parseResponseHead(buffer, text, m, this.hooks.limits.fieldsMax)
    if (used === RESPONSE_REFUSED && responseHead.fault === FAULT.malformedResponse) {
      if (mayYetBeMended(text, limit)) {
        this.ahead = buffer
        return null
      }
      const mended = mendHead(text)
      if (mended !== text) used = parseResponseHead(Buffer.from(mended, "latin1"), mended, m, this.hooks.limits.fieldsMax)
      text = mended
    }
    if (used === RESPONSE_REFUSED) {
      this.fail(responseHead.fault)
      return null
    }
    if (used < 0 || used > limit) {
      if (text.length > limit) this.fail(FAULT.responseTooLarge)
      else this.ahead = buffer
      return null
    }
    if (m.status < 200 && m.status !== 101) return this.readInterim(m, used < buffer.length ? buffer.subarray(used) : null)
    return this.headRead(m, buffer, text, used)
  }

  private readInterim(m: Message, rest: Buffer | null): Buffer | null {
    if (++this.interims > INTERIM_MAX) {
      this.fail(FAULT.malformedResponse)
      return null
    }
    stripHopByHop(m.response)
    m.response.remove(NAME.contentLength)
    m.response.remove(NAME.transferEncoding)
    m.onInterim(m.status, m.response.render())
    return rest
  }

  /** `text` is what was parsed: the head, and behind it what came with it as far as it is small. `used`: where the head ends. */
  private headRead(m: Message, buffer: Buffer, text: string, used: number): Buffer | null {
    if (m.status === 101 && m.upgrade === "") {
      this.fail(FAULT.unexpectedUpgrade)
      return null
    }
    this.bodyKind = m.responseBody
    const fault = this.readConnection(m)
    if (fault !== null) {
      this.fail(fault)
      return null
    }
    if (this.bodyKind === BODY_TUNNEL) {
      this.disarm()
      this.state = AGREED
      this.ahead = used < buffer.length ? buffer.subarray(used) : null
      m.onResponseHead()
      return null
    }
    this.remaining = this.bodyKind === BODY_LENGTH ? m.responseLength : 0
    if (this.bodyKind === BODY_CHUNKED) {
      if (this.chunks === null) this.chunks = new ChunkDecoder(TRAILER_BYTES_MAX)
      else this.chunks.reset()
    }
    this.state = BODY
    m.onResponseHead()
    if (this.state !== BODY) return null
    if (this.bodyKind === BODY_NONE) {
      this.bodyRead("", used < buffer.length)
      return null
    }
    const whole = used + this.remaining
    if (this.bodyKind === BODY_LENGTH && whole === text.length) {
      // Head and body came together and are small: as one text they leave in one write without another copy.
      this.remaining = 0
      m.onResponseText(text.substring(used))
      if (this.state === BODY && this.m === m) this.bodyRead("", buffer.length > whole)
      return null
    }
    if (!this.readPaused) this.arm(this.times.idle)
    return used < buffer.length ? buffer.subarray(used) : null
  }

  private readConnection(m: Message): Fault | null {
    const fields = m.response
    this.limitMs = 0
    let kept = this.bodyKind !== BODY_CLOSE
    if (fields.has(NAME.keepAlive)) {
      const match = /(?:^|[,; \t])timeout[ \t]*=[ \t]*"?([0-9]{1,6})/i.exec(fields.get(NAME.keepAlive))
      if (match !== null) this.limitMs = Number(match[1]) * 1000
      if (match !== null && this.limitMs === 0) kept = false
    }
    const upgrade = m.status === 101 ? fields.joined(NAME.upgrade).toLowerCase() : ""
    stripHopByHop(fields)
    this.keepAlive = (responseHead.version === 11 ? !options.close : options.keepAlive && !options.close) && kept
    if (m.status !== 101) return null
    // The peer must say what it chose, and may only choose from what was offered (RFC 9110 section 7.8).
    if (!listHas(m.upgrade, upgrade)) return FAULT.unexpectedUpgrade
    m.upgrade = upgrade
    return null
  }

  private readBody(buffer: Buffer): void {
    if (!this.readPaused) this.arm(this.times.idle)
    if (this.bodyKind === BODY_CHUNKED) {
      this.readChunks(buffer)
      return
    }
    const m = this.m!
    if (this.bodyKind === BODY_CLOSE) {
      m.onResponseBody(buffer)
      return
    }
    const surplus = buffer.length > this.remaining
    const chunk = surplus ? buffer.subarray(0, this.remaining) : buffer
    this.remaining -= chunk.length
    if (chunk.length > 0) m.onResponseBody(chunk)
    if (this.state === BODY && this.m === m && this.remaining === 0) this.bodyRead("", surplus)
  }

  private readChunks(buffer: Buffer): void {
    const chunks = this.chunks!
    const used = chunks.push(buffer, 0, this)
    if (this.state !== BODY) return
    if (chunks.state === CHUNKS_BAD) {
      this.fail(FAULT.malformedResponse)
      return
    }
    if (chunks.state !== CHUNKS_DONE) return
    const trailers = cleanTrailers(chunks.trailers)
    if (trailers === null) this.fail(FAULT.malformedResponse)
    else this.bodyRead(trailers, used < buffer.length)
  }

  onChunkData(data: Uint8Array): void {
    if (this.m !== null) this.m.onResponseBody(data)
  }

  /** The response is complete. `surplus`: the peer sent more than it announced, so nothing on this connection can be trusted any more. */
  private bodyRead(trailers: string, surplus: boolean): void {
    const m = this.m!
    if (surplus) this.keepAlive = false
    if (!this.requestDone) {
      // An early answer: the rest of the request has no reader (RFC 9112 section 9.3).
      this.keepAlive = false
    }
    this.m = null
    m.up = null
    this.finish()
    m.onResponseEnd(trailers)
  }

  private finish(): void {
    this.served++
    if (!this.keepAlive || this.blocked) {
      this.close()
      return
    }
    this.state = IDLE
    this.disarm()
    this.resumeReading()
    this.idleSince = this.time.clock.now()
    this.hooks.idle(this, this.limitMs)
  }

  /** While idle the pool owns the deadline; it closes the connection before the peer would. */
  keepFor(ms: number): void {
    assert(this.state === IDLE, "only an idle connection is kept")
    this.arm(ms)
  }

  takeTunnel(): TunnelEnd {
    assert(this.bodyKind === BODY_TUNNEL, "the peer agreed to a tunnel")
    this.m = null
    this.state = CLOSED
    this.closed = true
    this.endTimer()
    const ahead = this.ahead
    this.ahead = null
    const tunnel = new H1Tunnel(this.wire, this.time, ahead, this.takeUnsent(), this)
    tunnel.inherit(false, this.broken)
    return tunnel
  }

  tunnelGone(): void {
    this.hooks.gone(this)
  }

  // ---- ends

  abort(): void {
    this.m = null
    this.close()
  }

  /** Closes at once. */
  close(): void {
    if (this.closed) return
    const tell = this.state !== CLOSED
    this.state = CLOSED
    this.closed = true
    this.dropOutput()
    this.endTimer()
    this.wire.terminate()
    if (tell) this.hooks.gone(this)
  }

  private fail(fault: Fault): void {
    const m = this.m
    this.m = null
    this.close()
    if (m === null) return
    m.up = null
    m.onUpFault(fault)
  }

  onEnd(_wire: Wire): void {
    if (!this.broken && this.state === BODY && this.bodyKind === BODY_CLOSE) {
      this.bodyRead("", false)
      return
    }
    this.lost()
  }

  onClose(_wire: Wire, error: Error | null): void {
    if (this.state === HEAD && isCertificateRequired(error)) this.fail(FAULT.certificateWanted)
    else this.lost()
  }

  /** The peer closed or broke the connection. */
  private lost(): void {
    if (this.closed) return
    if (this.state === BODY) this.fail(FAULT.truncated)
    else if (this.state === AGREED) this.fail(FAULT.closedEarly)
    else if (this.state === HEAD) this.fail(this.served > 0 && !this.answering ? FAULT.reusedClosed : FAULT.closedEarly)
    else this.close()
  }

  override onTimer(): void {
    if (this.broken) this.lost()
    else if (this.state === BODY) this.fail(FAULT.idleTimeout)
    else if (this.state === HEAD) this.fail(FAULT.headTimeoutUpstream)
    else this.close()
  }
}
