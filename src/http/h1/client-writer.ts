// HOT
import { assert } from "../../base/index.ts"
import { BODY_CHUNKED, type Message } from "../message.ts"
import { NAME } from "../names.ts"
import type { AttemptTimes } from "../client-hooks.ts"
import { WireBoth } from "./wire-both.ts"

// what the connection does
export const IDLE = 0
/** The request goes out; nothing of the final head has been read. */
export const HEAD = 1
export const BODY = 2
/** The peer agreed to a tunnel that nobody has taken yet. */
export const AGREED = 3
export const CLOSED = 4

/** The writing half of a connection to a peer: one request at a time. */
export abstract class ClientWriter extends WireBoth {
  protected state = IDLE
  protected m: Message | null = null
  protected times: AttemptTimes = { head: 0, idle: 0 }
  protected requestDone = false
  /** Octets of the current answer have arrived: the peer has seen the request. */
  protected answering = false
  private chunkedOut = false

  /** Another exchange begins: `m` gets its upstream side. */
  protected abstract begin(m: Message): void

  /**
   * Sends the head; the body follows by `sendBody` and `sendEnd`. `target` is what goes on the request line, `host` what Host says.
   * Nothing leaves before `flush` or `sendEnd`.
   */
  send(m: Message, target: string, times: AttemptTimes): void {
    assert(this.state === IDLE && !this.closed, "the connection is free")
    this.m = m
    this.state = HEAD
    this.times = times
    this.requestDone = false
    this.answering = false
    // Until now the pool timed how long it was idle.
    this.disarm()
    this.begin(m)
    const fields = m.request
    let extra = ""
    this.chunkedOut = m.requestBody === BODY_CHUNKED
    if (this.chunkedOut && !fields.has(NAME.transferEncoding)) extra = "Transfer-Encoding: chunked\r\n"
    if (m.upgrade !== "") extra += `Connection: upgrade\r\nUpgrade: ${m.upgrade}\r\n`
    this.putText(`${m.method} ${target} HTTP/1.1\r\n${fields.render()}${extra}\r\n`)
  }

  sendBody(chunk: Uint8Array): boolean {
    if (this.closed || chunk.length === 0) return true
    if (this.chunkedOut) {
      this.putText(`${chunk.length.toString(16)}\r\n`)
      this.putChunk(chunk)
      this.putText("\r\n")
    } else this.putChunk(chunk)
    // A slow client is not this peer's fault: only one that takes nothing, or that has begun to answer, is timed.
    if (this.state === BODY && !this.readPaused) this.arm(this.times.idle)
    return !this.blocked
  }

  override flush(): boolean {
    if (super.flush()) return true
    if (!this.requestDone) this.arm(this.times.idle)
    return false
  }

  sendEnd(trailers: string): void {
    if (this.closed) return
    if (this.chunkedOut) this.putText(`0\r\n${trailers}\r\n`)
    this.flush()
    this.requestDone = true
    if (this.state === HEAD) this.arm(this.times.head)
  }

  protected onWritable(): void {
    if (this.m !== null && !this.requestDone) this.m.onUpDrain()
  }

  protected onProgress(): void {
    if (this.requestDone) return
    if (this.blocked) this.arm(this.times.idle)
    else if (this.state === HEAD) this.disarm()
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
}
