// HOT
import { type Fault, FAULT } from "../base/index.ts"
import { BODY_LENGTH, BODY_NONE, type Downstream, type Message } from "../http/index.ts"
import type { BodyChange } from "./change-body.ts"
import { DownstreamWrapper } from "./downstream-wrapper.ts"
import { expire } from "./engine.ts"
import type { Exchange } from "./exchange.ts"
import { localReply } from "./local-reply.ts"

/** The client's side of an exchange whose response body is changed: stands before the codec's own, so that others need not know of it. */
export class ChangedDownstream extends DownstreamWrapper {
  change: BodyChange
  private readonly x: Exchange
  private broken = false
  /** The head waits for the change. */
  private headHeld = false

  constructor(x: Exchange, inner: Downstream, change: BodyChange) {
    super(inner)
    this.x = x
    this.change = change
  }

  override sendHead(m: Message): void {
    if (this.change.holdsHead === true && m.method !== "HEAD") this.headHeld = true
    else this.inner.sendHead(m)
  }

  sendBody(chunk: Uint8Array): boolean {
    if (this.broken) return true
    const out = this.change.push(chunk)
    if (out === null) {
      this.breakOff()
      return true
    }
    if (this.headHeld && !this.headLeaves()) {
      this.x.responseBytes -= chunk.length
      return true
    }
    this.x.responseBytes += out.length - chunk.length
    return out.length === 0 || this.inner.sendBody(out)
  }

  private headLeaves(): boolean {
    if (this.change.holdsHead === true) return false
    this.headHeld = false
    this.inner.sendHead(this.x)
    return true
  }

  private breakOff(): void {
    this.broken = true
    expire(this.x, this.change.fault ?? FAULT.malformedResponse)
  }

  sendText(text: string): boolean {
    return this.sendBody(Buffer.from(text, "latin1"))
  }

  override sendEnd(trailers: string): void {
    if (this.broken) return
    const { x, change, inner } = this
    const out = change.end(trailers)
    if (out === null) {
      // Whoever calls goes on to the log by itself.
      const fault = change.fault ?? FAULT.malformedResponse
      x.fault = fault
      this.abort(fault)
      return
    }
    x.responseBytes += out.length
    if (this.headHeld) this.sendWhole(out)
    else if (out.length > 0) inner.sendBody(out)
    inner.sendEnd(change.trailers)
  }

  /** The head has waited for all of the body. */
  private sendWhole(body: Uint8Array): void {
    const { x, inner } = this
    this.headHeld = false
    // Trailers need a body without a length (RFC 9112 section 6.5).
    if (this.change.trailers === "") {
      x.responseBody = body.length > 0 ? BODY_LENGTH : BODY_NONE
      x.responseLength = body.length
    }
    inner.sendHead(x)
    if (body.length > 0) inner.sendBody(body)
  }

  flush(): boolean {
    const { change, inner } = this
    if (change.flush === undefined || this.broken) return inner.flush()
    const out = change.flush()
    if (out === null) {
      this.breakOff()
      return true
    }
    if (this.headHeld && !this.headLeaves()) return true
    this.x.responseBytes += out.length
    if (out.length > 0) inner.sendBody(out)
    return inner.flush()
  }

  /** While the head waits nothing has left, and the client can be told. */
  override abort(fault: Fault): void {
    const { x, inner } = this
    if (!this.headHeld || fault.status === 0) {
      inner.abort(fault)
      return
    }
    this.headHeld = false
    localReply(x, fault)
    inner.sendHead(x)
    const body = x.localBody
    x.responseBytes = body === null ? 0 : body.length
    if (body !== null) inner.sendBody(body)
    inner.sendEnd("")
  }
}
