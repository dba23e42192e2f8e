// HOT
import { assert, type Fault, FAULT, log, LogLimit } from "../../base/index.ts"
import type { Wire, WireHandler } from "../../net/index.ts"
import type { AttemptTimes, ClientHooks, KeptConnection } from "../client-hooks.ts"
import { WireBoth } from "../h1/wire-both.ts"
import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE, type Message } from "../message.ts"
import { NAME } from "../names.ts"
import type { TunnelEnd, Upstream } from "../sides.ts"
import { cgiHead } from "./cgi-head.ts"
import { type FcgiOptions, paramsOf, scriptOf } from "./params.ts"
import { type RecordReceiver, RecordReader } from "./record-reader.ts"
import { beginRequest, CONTENT_BYTES_MAX, END_REQUEST, pairOf, paramsRecords, recordHead, STDERR, STDIN, STDOUT } from "./records.ts"

// what the connection does
const IDLE = 0
/** The request goes out; the head of the answer has not come whole. */
const HEAD = 1
const BODY = 2
const CLOSED = 4

const OVERLOADED = 2
const EMPTY = Buffer.alloc(0)
const complaints = new LogLimit(60)
const COMPLAINT_CHARS_MAX = 2000

/** One connection to an application that speaks FastCGI, as a Responder: one request at a time. */
export class FcgiConnection extends WireBoth implements WireHandler, Upstream, KeptConnection, RecordReceiver {
  private readonly hooks: ClientHooks
  private readonly options: FcgiOptions
  private readonly reader = new RecordReader()
  private state = IDLE
  private m: Message | null = null
  private times: AttemptTimes = { head: 0, idle: 0 }
  /** Parameters that wait for the length of the body. */
  private params = ""
  private gathered: Uint8Array[] | null = null
  private gatheredBytes = 0
  private head: Buffer = EMPTY
  private requestDone = false
  private answering = false
  private endStatus = 0
  private endContent = EMPTY
  served = 0

  constructor(wire: Wire, hooks: ClientHooks, options: FcgiOptions) {
    super(wire, hooks.time)
    this.hooks = hooks
    this.options = options
  }

  get usable(): boolean {
    return this.state === IDLE && !this.closed
  }

  protected takesLent(): boolean {
    return false
  }

  protected onLent(): void {}

  protected onBroken(): void {
    this.lost()
  }

  // ---- the request

  send(m: Message, _target: string, times: AttemptTimes): void {
    assert(this.state === IDLE && !this.closed, "the connection is free")
    this.disarm()
    this.m = m
    m.up = this
    this.state = HEAD
    this.times = times
    this.head = EMPTY
    this.requestDone = false
    this.answering = false
    this.reader.reset()
    const script = scriptOf(m.rulePath, this.options)
    if (script === null) {
      this.fail(FAULT.fileMissing)
      return
    }
    const params = paramsOf(m, script, this.options)
    this.gathered = null
    this.gatheredBytes = 0
    if (m.requestBody === BODY_CHUNKED) {
      // An application learns how long a body is before it reads it (RFC 3875 section 4.1.2).
      this.params = params
      this.gathered = []
    } else this.putStart(params, lengthText(m))
  }

  private putStart(params: string, length: string): void {
    this.putText(beginRequest(this.options.keepAlive) + paramsRecords(params + pairOf("CONTENT_LENGTH", length)))
  }

  sendBody(chunk: Uint8Array): boolean {
    if (this.closed || chunk.length === 0) return true
    if (this.gathered === null) {
      this.putBody(chunk)
      return !this.blocked
    }
    this.gatheredBytes += chunk.length
    if (this.gatheredBytes > this.options.bufferBytesMax) {
      this.fail(FAULT.lengthRequired)
      return true
    }
    // Octets may be lent.
    this.gathered.push(Buffer.from(chunk))
    return true
  }

  private putBody(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at += CONTENT_BYTES_MAX) {
      const part = chunk.subarray(at, at + CONTENT_BYTES_MAX)
      this.putText(recordHead(STDIN, part.length))
      this.putChunk(part)
    }
  }

  sendEnd(_trailers: string): void {
    if (this.closed) return
    const { gathered } = this
    if (gathered !== null) {
      this.gathered = null
      this.putStart(this.params, String(this.gatheredBytes))
      this.params = ""
      for (let i = 0; i < gathered.length; i++) this.putBody(gathered[i]!)
    }
    this.putText(recordHead(STDIN, 0))
    this.flush()
    this.requestDone = true
    if (this.state === HEAD) this.arm(this.times.head)
  }

  protected onWritable(): void {
    if (this.m !== null && !this.requestDone) this.m.onUpDrain()
  }

  protected onProgress(): void {
    if (!this.requestDone && this.blocked) this.arm(this.times.idle)
  }

  override flush(): boolean {
    if (this.gathered !== null || super.flush()) return true
    if (!this.requestDone) this.arm(this.times.idle)
    return false
  }

  // ---- the answer

  onData(_wire: Wire, chunk: Buffer): void {
    this.time.clock.tick()
    if (this.state === IDLE) {
      // Nobody asked.
      this.close()
      return
    }
    if (this.state === CLOSED) return
    this.answering = true
    if (this.state === BODY && !this.readPaused) this.arm(this.times.idle)
    if (!this.reader.push(chunk, this)) this.fail(FAULT.malformedResponse)
    const { m } = this
    if (m !== null && this.state === BODY && m.down !== null && !m.down.flush()) this.pauseBody()
  }

  onContent(type: number, content: Buffer): boolean {
    if (type === STDOUT) return this.output(content)
    if (type === STDERR) this.complain(content)
    else if (type === END_REQUEST) this.endContent = this.endContent.length === 0 ? Buffer.from(content) : Buffer.concat([this.endContent, content])
    return true
  }

  onRecordEnd(type: number, _length: number): boolean {
    if (type !== END_REQUEST) return true
    this.endStatus = this.endContent[4] ?? 0
    this.endContent = EMPTY
    this.over()
    return false
  }

  private output(content: Buffer): boolean {
    const { m } = this
    if (m === null) return false
    if (this.state === BODY) {
      this.body(m, content)
      return this.state === BODY
    }
    this.head = this.head.length === 0 ? content : Buffer.concat([this.head, content])
    const read = cgiHead(this.head, m, this.hooks.limits)
    if (typeof read !== "number") {
      this.fail(read)
      return false
    }
    if (read < 0) return true
    const rest = this.head.subarray(read)
    this.head = EMPTY
    this.state = BODY
    m.onResponseHead()
    if (this.m !== m || this.state !== BODY) return false
    if (!this.readPaused) this.arm(this.times.idle)
    if (rest.length > 0) this.body(m, rest)
    return this.state === BODY
  }

  /** What an answer without a body says all the same is dropped. */
  private body(m: Message, content: Buffer): void {
    if (m.responseBody !== BODY_NONE) m.onResponseBody(content)
  }

  private complain(content: Buffer): void {
    const text = content.toString("utf8", 0, COMPLAINT_CHARS_MAX).trim()
    if (text !== "" && complaints.admit("stderr", this.time.clock.now()) >= 0) log.warn("http", "a FastCGI application complains", { text })
  }

  /** END_REQUEST (section 5.5). */
  private over(): void {
    const m = this.m!
    if (this.state === HEAD) {
      this.fail(this.endStatus === OVERLOADED ? FAULT.streamRefused : FAULT.malformedResponse)
      return
    }
    this.m = null
    m.up = null
    this.finish()
    m.onResponseEnd("")
  }

  private finish(): void {
    this.served++
    if (!this.options.keepAlive || !this.requestDone || this.blocked) {
      this.close()
      return
    }
    this.state = IDLE
    this.disarm()
    this.resumeReading()
    this.hooks.idle(this, 0)
  }

  keepFor(ms: number): void {
    this.arm(ms)
  }

  pauseBody(): void {
    if (this.readPaused || this.closed) return
    this.disarm()
    this.pauseReading()
  }

  resumeBody(): void {
    if (!this.readPaused || this.closed) return
    if (this.state === BODY) this.arm(this.times.idle)
    this.resumeReading()
  }

  takeTunnel(): TunnelEnd {
    throw new Error("a FastCGI application opens no tunnel") // allow(throw): it never says 101
  }

  // ---- ends

  abort(): void {
    this.m = null
    this.close()
  }

  close(): void {
    if (this.closed) return
    const tell = this.state !== CLOSED
    this.state = CLOSED
    this.closed = true
    this.gathered = null
    this.dropOutput()
    this.endTimer()
    this.wire.terminate()
    if (tell) this.hooks.gone(this)
  }

  private fail(fault: Fault): void {
    const { m } = this
    this.m = null
    this.close()
    if (m === null) return
    m.up = null
    m.onUpFault(fault)
  }

  onEnd(_wire: Wire): void {
    this.lost()
  }

  onClose(_wire: Wire, _error: Error | null): void {
    this.lost()
  }

  private lost(): void {
    if (this.closed) return
    if (this.state === BODY) this.fail(FAULT.truncated)
    else if (this.state === HEAD) this.fail(this.served > 0 && !this.answering ? FAULT.reusedClosed : FAULT.closedEarly)
    else this.close()
  }

  onTimer(): void {
    if (this.broken) this.lost()
    else if (this.state === BODY) this.fail(FAULT.idleTimeout)
    else if (this.state === HEAD) this.fail(FAULT.headTimeoutUpstream)
    else this.close()
  }
}

/** "" = there is none. */
function lengthText(m: Message): string {
  if (m.requestBody === BODY_LENGTH) return String(m.requestLength)
  return m.request.has(NAME.contentLength) ? "0" : ""
}
