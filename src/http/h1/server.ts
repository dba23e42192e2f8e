// HOT
import { assert, type Fault, FAULT } from "../../base/index.ts"
import type { ConnectionInfo, Wire, WireHandler } from "../../net/index.ts"
import { BODY_CHUNKED, BODY_NONE, type Message } from "../message.ts"
import { NAME } from "../names.ts"
import type { Downstream } from "../sides.ts"
import { skipEmptyLines } from "./empty-lines.ts"
import { connection as options, stripHopByHop } from "./hop-by-hop.ts"
import { BODY_BAD, BODY_MORE, RequestBody } from "./request-body.ts"
import { INCOMPLETE, parseRequestHead, REFUSED, refusal } from "./request-head.ts"
import type { ServerHooks } from "../server-hooks.ts"
import { ANSWERING, BODY, CLOSED, HEAD, LINGER, ServerEnds } from "./server-ends.ts"

const SMALL_HEAD = 4096
/** How long a half-closed client may be silent before we ask whether it is still there. */
const PROBE_MS = 50
/** Octets of a request body that are read and dropped after the answer, to keep the connection. */
const DISCARD_BYTES_MAX = 256 * 1024
const LINE_FEED = 10
const CARRIAGE_RETURN = 13

/** One client connection that speaks HTTP/1.1 or 1.0: bytes to messages and back, one exchange at a time, pipelined heads kept for later. */
export class ServerConnection extends ServerEnds implements WireHandler, Downstream {
  private body: RequestBody | null = null
  /** The client itself asked for the close (RFC 9112 section 9.6). */
  private lastByClient = false
  private bodyPaused = false
  private parsing = false

  constructor(wire: Wire, info: ConnectionInfo, hooks: ServerHooks) {
    super(wire, info, hooks)
    this.idleSince = this.time.clock.now()
    if (hooks.closing) this.armIdle()
    else this.arm(hooks.timeouts.head)
  }

  protected tellClosed(): void {
    this.hooks.closed(this)
  }

  // ---- reading

  onData(_wire: Wire, chunk: Buffer): void {
    this.time.clock.tick()
    switch (this.state) {
      case HEAD:
        this.headData(chunk)
        return
      case BODY:
        this.readBody(chunk, 0)
        this.readOn(chunk.length)
        return
      case ANSWERING:
        this.keepAhead(chunk)
        return
      default:
        return
    }
  }

  private headData(chunk: Buffer): void {
    const ahead = this.ahead
    if (ahead === null) {
      this.readHeads(chunk)
      return
    }
    const all = Buffer.concat([ahead, chunk])
    this.ahead = null
    // No line ended, so no head did: a client that drips must not have its head parsed once an octet.
    if (chunk.indexOf(LINE_FEED) < 0 && all.length <= this.hooks.limits.headBytesMax) this.ahead = all
    else this.readHeads(all)
  }

  protected takesLent(): boolean {
    return this.state === BODY && this.m !== null && this.m.takesLentRequest
  }

  protected onLent(chunk: Buffer): void {
    this.readBody(chunk, 0)
  }

  /** Takes as many whole heads from the buffer as can be served now: none while an answer waits for the client to take it. */
  private readHeads(buffer: Buffer): void {
    assert(!this.parsing, "one reader at a time")
    this.parsing = true
    let rest: Buffer | null = buffer
    while (rest !== null && this.state === HEAD && !this.blocked) rest = this.readHead(rest)
    this.parsing = false
    if (rest !== null && (this.state === ANSWERING || this.state === HEAD)) this.keepAhead(rest)
    if (this.halfClosed) this.endOfRequests()
  }

  /** The client has closed its half and all that came before has been read: what is not whole will never be. */
  private endOfRequests(): void {
    if (this.state === BODY) this.lost(FAULT.aborted)
    if (this.state !== HEAD || (this.blocked && this.ahead !== null)) return
    this.dropPartial()
    this.closeGently()
  }

  /** One head; returns what is left, or null when nothing is. */
  private readHead(buffer: Buffer): Buffer | null {
    const start = skipEmptyLines(buffer)
    this.ahead = null
    if (start === buffer.length) return null
    if (start === buffer.length - 1 && buffer[start] === CARRIAGE_RETURN) {
      // Half an empty line.
      this.ahead = buffer
      return null
    }
    const fresh = this.m === null
    const m = this.m ?? this.hooks.acquire(this)
    const limit = this.hooks.limits.headBytesMax
    let end = buffer.length
    if (end - start > SMALL_HEAD) {
      const blank = buffer.indexOf("\r\n\r\n", start)
      end = blank >= 0 ? blank + 4 : end
      if (end - start > limit + 4) end = start + limit + 4
    }
    const text = buffer.latin1Slice(start, end)
    const used = parseRequestHead(buffer, start, text, m, this.hooks.limits)
    if (used >= 0) {
      if (fresh) m.startedAt = this.time.clock.now()
      return this.headRead(m, buffer, start + used)
    }
    if (this.goesOnAsOther(m, buffer, used === REFUSED)) return null
    if (used === REFUSED || text.length > limit) {
      this.refuse(m, used === REFUSED ? refusal.fault : FAULT.fieldsTooLarge)
      return null
    }
    assert(used === INCOMPLETE, "a head is whole, refused or incomplete")
    if (fresh) {
      m.startedAt = this.time.clock.now()
      this.m = m
      this.arm(this.hooks.timeouts.head)
    }
    this.ahead = start === 0 ? buffer : buffer.subarray(start)
    return null
  }

  private headRead(m: Message, buffer: Buffer, bodyStart: number): Buffer | null {
    this.m = m
    this.requests++
    this.readConnection(m)
    this.beginResponse(m.expectContinue)
    const rest = bodyStart === buffer.length ? null : buffer.subarray(bodyStart)
    if (m.requestBody === BODY_NONE) {
      this.state = ANSWERING
      this.disarm()
      // Octets behind CONNECT are for the tunnel, or for nobody.
      const early = rest !== null && m.method === "CONNECT"
      if (early) this.keepAhead(rest)
      this.hooks.start(m)
      return early ? null : rest
    }
    this.state = BODY
    this.bodyPaused = false
    if (this.body === null) this.body = new RequestBody()
    this.body.begin(m.requestBody === BODY_CHUNKED, m.requestLength, this.time.clock.now())
    this.arm(this.hooks.timeouts.body)
    this.hooks.start(m)
    // The start may have ended everything; what is left is then not a body.
    if (rest === null || this.state !== BODY) return this.state === CLOSED || this.state === LINGER ? null : rest
    return this.readBody(rest, 0)
  }

  private readConnection(m: Message): void {
    const fields = m.request
    const upgrade = fields.has(NAME.upgrade) ? fields.joined(NAME.upgrade) : ""
    const trailers = fields.has(NAME.te) && /(^|,)[ \t]*trailers[ \t]*(;|,|$)/i.test(fields.joined(NAME.te))
    stripHopByHop(fields)
    this.trailersWanted = trailers && m.version === 11
    // We pass trailers on, so we may ask for them in our own name (RFC 9110 section 10.1.4).
    if (this.trailersWanted) fields.extra += "TE: trailers\r\nConnection: TE\r\n"
    // An Upgrade that Connection does not name is for nobody, and one with a body would have to wait for its end (RFC 9110 section 7.8).
    m.upgrade = options.upgrade && m.version === 11 && m.requestBody === BODY_NONE ? upgrade.toLowerCase() : ""
    this.keepAlive = m.version === 11 ? !options.close : options.keepAlive && !options.close
    this.lastByClient = !this.keepAlive
    const max = this.hooks.limits.requestsMax
    if (this.hooks.closing || (max > 0 && this.requests >= max)) this.keepAlive = false
    if (m.forwardForm && fields.get(NAME.host) !== m.authority) fields.set(NAME.host, "Host", m.authority)
  }

  /** Feeds body octets; returns what lies behind the body, or null. Once answered, the octets are only counted. */
  private readBody(buffer: Buffer, at: number): Buffer | null {
    const body = this.body!
    const next = body.push(buffer, at, this)
    if (this.state !== BODY) return null
    if (this.m === null && body.bytes > DISCARD_BYTES_MAX) {
      this.closeGently()
      return null
    }
    const { state } = body
    if (state === BODY_BAD) this.bodyFault(FAULT.malformed)
    else if (state === BODY_MORE) this.bodyGoesOn()
    else return this.bodyRead(buffer, next)
    return null
  }

  private bodyGoesOn(): void {
    // What comes behind the answer is dropped, and all of it together has one body timeout.
    if (this.bodyPaused || this.m === null) return
    if (this.body!.tooSlow(this.hooks.timeouts.bodyRateMin, this.time.clock.now())) this.bodyFault(FAULT.bodyTimeout)
    else this.arm(this.hooks.timeouts.body)
  }

  onChunkData(data: Uint8Array): void {
    this.continueDue = false
    if (this.m !== null) this.m.onRequestBody(data)
  }

  private bodyRead(buffer: Buffer, at: number): Buffer | null {
    const rest = at < buffer.length ? this.owned(buffer.subarray(at)) : null
    const trailers = this.body!.trailers()
    if (trailers === null) {
      this.bodyFault(FAULT.malformed)
      return null
    }
    this.continueDue = false
    this.disarm()
    const m = this.m
    if (m === null) {
      this.nextRequest()
      if (!this.parsing && rest !== null && this.state === HEAD) this.readHeads(rest)
      return rest
    }
    this.state = ANSWERING
    if (!this.parsing && rest !== null) this.keepAhead(rest)
    m.onRequestEnd(trailers)
    return rest
  }

  /** The body cannot be read any further: a local reply is this connection's last word, if a head has not left yet. */
  private bodyFault(fault: Fault): void {
    const m = this.m
    this.keepAlive = false
    // There is more to come, which would meet a closed socket and destroy the reply.
    this.lastByClient = false
    if (m === null) {
      this.closeGently()
      return
    }
    if (this.headSent) {
      this.lost(fault)
      return
    }
    this.state = ANSWERING
    this.disarm()
    this.pauseReading()
    m.onRequestFault(fault)
  }

  private refuse(m: Message, fault: Fault): void {
    this.m = m
    this.state = ANSWERING
    this.keepAlive = false
    this.lastByClient = false
    this.beginResponse(false)
    this.disarm()
    if (m.startedAt === 0) m.startedAt = this.time.clock.now()
    this.hooks.refuse(m, fault)
  }

  // ---- the response is out

  protected onAnswered(): void {
    if (this.state === BODY) this.finishEarly()
    else if (this.state === ANSWERING) this.finish()
  }

  /** The answer is out while the client still sends: drop a little of it, or close. */
  private finishEarly(): void {
    if (!this.keepAlive) {
      this.closeGently()
      return
    }
    this.bodyPaused = false
    this.resumeReading()
    this.arm(this.hooks.timeouts.body)
  }

  private finish(): void {
    if (!this.keepAlive) {
      // The client said that this was its last request and nothing of it is unread: there is nothing that a reset could destroy.
      if (this.lastByClient && this.ahead === null && !this.blocked) this.shut(false)
      else this.closeGently()
      return
    }
    this.nextRequest()
    this.readAhead()
  }

  /** Goes on with what was read ahead, and reads on when there is room. */
  private readAhead(): void {
    const ahead = this.ahead
    if (this.state === HEAD && this.blocked) return
    if (ahead !== null && !this.parsing) {
      this.ahead = null
      this.readHeads(ahead)
    }
    if ((this.state === HEAD && !this.blocked) || (this.state === BODY && !this.bodyPaused)) this.resumeReading()
  }

  private nextRequest(): void {
    this.state = HEAD
    if ((this.halfClosed || (this.hooks.closing && !this.mayAskOnce)) && this.ahead === null && !this.parsing) {
      this.closeGently()
      return
    }
    this.awaitRequest()
  }

  pauseBody(): void {
    if (this.state !== BODY || this.bodyPaused) return
    this.bodyPaused = true
    this.body!.pause(this.time.clock.now())
    this.disarm()
    this.pauseReading()
  }

  resumeBody(): void {
    if (!this.bodyPaused) return
    this.bodyPaused = false
    if (this.state !== BODY) return
    this.body!.resume(this.time.clock.now())
    this.arm(this.hooks.timeouts.body)
    this.resumeReading()
  }

  protected onWritable(): void {
    if (this.state === LINGER) {
      this.linger()
      return
    }
    if (this.state === HEAD) {
      this.armIdle()
      this.readAhead()
    } else if (this.m !== null) {
      if (this.state === BODY && !this.bodyPaused) this.arm(this.hooks.timeouts.body)
      else this.disarm()
      this.m.onDownDrain()
    }
  }

  onEnd(_wire: Wire): void {
    this.halfClosed = true
    if (this.broken) {
      this.lost(FAULT.aborted)
      return
    }
    switch (this.state) {
      case HEAD:
        // What waits for the client to take its answers is served before it ends.
        if (this.blocked && this.ahead !== null) return
        this.dropPartial()
        this.closeGently()
        return
      case BODY:
        this.lost(FAULT.aborted)
        return
      case ANSWERING:
        // A client may close its half and wait (RFC 9112 section 9.6); or it is gone: both look the same until we write.
        if (this.ahead === null) this.keepAlive = false
        if (!this.headSent) this.arm(PROBE_MS)
        this.probing = !this.headSent
        if (this.headSent) this.watchPeer()
        return
      default:
        // What has not left yet still does.
        if (!this.blocked) this.shut(false)
    }
  }

  override onTimer(): void {
    if (this.broken) {
      this.lost(FAULT.aborted)
      return
    }
    switch (this.state) {
      case HEAD:
        if (this.blocked) this.lost(FAULT.writeTimeout)
        else if (this.m !== null) this.refuse(this.m, FAULT.headTimeout)
        else this.shut(false)
        return
      case BODY:
        if (this.blocked) this.lost(FAULT.writeTimeout)
        else this.bodyFault(FAULT.bodyTimeout)
        return
      case ANSWERING:
        if (this.blocked) this.lost(FAULT.writeTimeout)
        else if (this.probing) this.probe()
        return
      default:
        this.shut(true)
    }
  }
}
