// HOT
import { assert, type Fault } from "../../base/index.ts"
import type { Wire } from "../../net/index.ts"
import { BODY_TUNNEL, type Message } from "../message.ts"
import { frame, frameLines, statusLine } from "./response-out.ts"
import { NAME } from "../names.ts"
import type { ServerHooks } from "../server-hooks.ts"
import { WriteRate } from "../write-rate.ts"
import { WireBoth } from "./wire-both.ts"

/** The writing half of a client connection: one response at a time, framed for that client. */
export abstract class ServerWriter extends WireBoth {
  protected readonly hooks: ServerHooks
  protected m: Message | null = null
  protected keepAlive = true
  protected headSent = false
  /** The client waits for 100 (Continue), and nothing of the body has come. */
  protected continueDue = false
  protected trailersWanted = false
  private chunkedOut = false
  /** Only where a listener asks for a rate. */
  private rate: WriteRate | null = null

  constructor(wire: Wire, hooks: ServerHooks) {
    super(wire, hooks.time)
    this.hooks = hooks
  }

  protected beginResponse(continueDue: boolean): void {
    this.headSent = false
    this.chunkedOut = false
    this.continueDue = continueDue
    if (this.rate !== null) this.rate.reset()
  }

  sendInterim(status: number, lines: string): void {
    const m = this.m
    if (m === null || this.headSent || m.version < 11) return
    if (status === 100) {
      this.continueBody()
      return
    }
    this.putText(`HTTP/1.1 ${status} ${status === 103 ? "Early Hints" : "Interim"}\r\n${lines}\r\n`)
    this.flush()
  }

  continueBody(): void {
    if (!this.continueDue || this.headSent) return
    this.continueDue = false
    this.sayContinue()
  }

  protected sayContinue(): void {
    this.putText("HTTP/1.1 100 Continue\r\n\r\n")
    this.flush()
  }

  sendHead(m: Message): void {
    assert(this.m === m && !this.headSent, "one head an exchange")
    this.headSent = true
    if (this.hooks.altSvc !== "") m.response.set(NAME.altSvc, "Alt-Svc", this.hooks.altSvc)
    const extra = frameLines(m)
    this.chunkedOut = frame.chunked
    // A client that still waits for 100 may or may not send its body now: the connection cannot be read on.
    if (frame.close || this.continueDue || this.hooks.closing) this.keepAlive = false
    this.putText(`${statusLine(m)}${m.response.render()}${extra}${this.connectionLine(m)}\r\n`)
  }

  private connectionLine(m: Message): string {
    if (m.responseBody === BODY_TUNNEL) return ""
    if (!this.keepAlive) return "Connection: close\r\n"
    return m.version === 10 ? "Connection: keep-alive\r\n" : ""
  }

  sendBody(chunk: Uint8Array): boolean {
    if (this.closed || chunk.length === 0) return true
    if (this.chunkedOut) {
      this.putText(`${chunk.length.toString(16)}\r\n`)
      this.putChunk(chunk)
      this.putText("\r\n")
    } else this.putChunk(chunk)
    return !this.blocked
  }

  sendPart(chunk: Uint8Array): number {
    if (!this.chunkedOut && !this.closed) return this.putPart(chunk)
    this.sendBody(chunk)
    return chunk.length
  }

  sendText(text: string): boolean {
    if (this.closed || text.length === 0) return true
    if (this.chunkedOut) this.putText(`${text.length.toString(16)}\r\n${text}\r\n`)
    else this.putText(text)
    return !this.blocked
  }

  sendEnd(trailers: string): void {
    assert(this.headSent, "the head goes first")
    if (this.chunkedOut) this.putText(`0\r\n${this.trailersWanted ? trailers : ""}\r\n`)
    this.flush()
    this.m = null
    this.onAnswered()
  }

  override flush(): boolean {
    if (super.flush()) return true
    if (this.m !== null && this.headSent) this.armWrite()
    return false
  }

  /** The response is complete. */
  protected abstract onAnswered(): void

  closeAfter(_fault: Fault): void {
    this.keepAlive = false
  }

  protected onProgress(): void {
    if (this.blocked) this.armWrite()
    else if (this.rate !== null) this.rate.rest(this.time.clock.now())
  }

  /** The socket is full: how long that may last. Whoever takes too little has no time left, and the timer ends it, for we are in the middle of somebody's turn. */
  protected armWrite(): void {
    const { write, writeRateMin } = this.hooks.timeouts
    this.arm(writeRateMin > 0 && this.takesTooLittle(writeRateMin) ? 1 : write)
  }

  private takesTooLittle(rateMin: number): boolean {
    const { bytesWritten } = this.wire
    if (bytesWritten === undefined) return false
    if (this.rate === null) this.rate = new WriteRate()
    return this.rate.tooSlow(bytesWritten, rateMin, this.time.clock.now())
  }
}
