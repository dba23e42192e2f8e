import { type Fault, FAULT } from "../base/index.ts"
import { BODY_LENGTH, BODY_NONE, type Downstream, Fields, type Message, type Time, type TunnelEnd } from "../http/index.ts"
import { type ConnectionInfo, NO_CONNECTION } from "../net/index.ts"
import { begin } from "./engine.ts"
import { acquireExchange, type Exchange, type Plan } from "./exchange.ts"
import { armRequest } from "./timers.ts"

/** A request that the proxy makes for itself: to an authorisation service, to a mirror. */
export interface OwnRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  /** Host, with the port where it is not the default. */
  readonly authority: string
  /** Ready-made lines, each with its line break, without Host, Content-Length and Transfer-Encoding. */
  readonly fields: string
  readonly body: Uint8Array | null
  /** Octets of the answer's body that are kept; a longer one ends in `upstream.truncated`. 0 = none of it is read, and the answer has no body. */
  readonly bodyBytesMax: number
  readonly timeoutMs: number
  /** The client's exchange that it is made for, if there is one: its address is what hashing balancers and PROXY headers go by. */
  readonly from?: Exchange | null
}

/** The whole answer to an own request. */
export interface OwnAnswer {
  readonly status: number
  readonly response: Fields
  readonly body: Buffer
  /** `address:port` of the peer that gave it. */
  readonly peer: string
}

/**
 * Runs an own request on a plan that knows no client, in whose place this object stands, and collects what comes. `done` is called once, later than `send`
 * returns; not after `cancel`.
 */
export class OwnExchange implements Downstream {
  readonly info: ConnectionInfo
  private readonly f: Exchange
  private begun = false
  private readonly request: OwnRequest
  private readonly chunks: Uint8Array[] = []
  private bytes = 0
  private answer: { status: number; response: Fields; peer: string } | null = null
  private done: ((answer: OwnAnswer | null, fault: Fault | null) => void) | null

  constructor(plan: Plan, request: OwnRequest, done: (answer: OwnAnswer | null, fault: Fault | null) => void) {
    this.request = request
    this.done = done
    this.info = request.from?.down?.info ?? NO_CONNECTION
    this.f = exchangeFor(plan, request, this)
  }

  /** Sends it. Call it once. */
  send(time: Time): void {
    const { f } = this
    f.startedAt = time.clock.now()
    if (this.request.timeoutMs > 0) armRequest(f, time, this.request.timeoutMs)
    // Whoever asked is in the middle of its step.
    queueMicrotask(() => {
      this.begun = this.done !== null
      if (this.begun) begin(f)
      else f.release()
    })
  }

  /** Nobody wants the answer any more. */
  cancel(): void {
    if (this.done === null) return
    this.done = null
    this.leave()
  }

  /** Ends the exchange if it is under way: one that is over has no client side. */
  private leave(): void {
    if (this.begun && this.f.down === this) this.f.onClientGone(FAULT.aborted)
  }

  private settle(fault: Fault | null): void {
    const { done, answer } = this
    this.done = null
    if (done === null) return
    if (fault !== null || answer === null) done(null, fault ?? FAULT.internal)
    else done({ ...answer, body: Buffer.concat(this.chunks) }, null)
  }

  sendInterim(): void {}

  sendHead(m: Message): void {
    const { f } = this
    if (f.fault !== null) {
      this.settle(f.fault)
      return
    }
    const response = new Fields()
    response.copyFrom(m.response)
    this.answer = { status: m.status, response, peer: f.peerName }
  }

  sendBody(chunk: Uint8Array): boolean {
    const max = this.request.bodyBytesMax
    if (this.done === null || max === 0) return true
    this.bytes += chunk.length
    // Chunks may be lent for this call only.
    if (this.bytes <= max) this.chunks.push(Buffer.from(chunk))
    else {
      this.settle(FAULT.truncated)
      this.leave()
    }
    return true
  }

  sendText(text: string): boolean {
    return this.sendBody(Buffer.from(text, "latin1"))
  }

  sendEnd(): void {
    this.settle(null)
  }

  flush(): boolean {
    return true
  }

  pauseBody(): void {}
  resumeBody(): void {}
  continueBody(): void {}
  closeAfter(): void {}

  abort(fault: Fault): void {
    this.settle(fault)
  }

  takeTunnel(): TunnelEnd {
    throw new Error("an own request opens no tunnel")
  }
}

function exchangeFor(plan: Plan, request: OwnRequest, down: Downstream): Exchange {
  const f = acquireExchange()
  const { from = null, body } = request
  const at = request.path.indexOf("?")
  f.plan = plan
  f.down = down
  f.clientAddress = from?.clientAddress ?? ""
  f.peerAddress = from?.peerAddress ?? ""
  f.user = from?.user ?? ""
  f.snapshot = from?.snapshot ?? null
  f.listener = from?.listener ?? null
  f.method = request.method
  f.authority = request.authority
  f.host = request.authority
    .replace(/:\d*$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase()
  f.path = at < 0 ? request.path : request.path.slice(0, at)
  f.rulePath = f.path
  f.query = at < 0 ? "" : request.path.slice(at)
  f.request.reset("")
  f.request.extra = `Host: ${request.authority}\r\n${request.fields}`
  f.requestBody = body === null || body.length === 0 ? BODY_NONE : BODY_LENGTH
  f.requestLength = body === null ? 0 : body.length
  if (f.requestBody === BODY_LENGTH) {
    f.request.extra += `Content-Length: ${f.requestLength}\r\n`
    f.pump.kept = [body!]
    f.pump.keptBytes = f.requestLength
  }
  f.pump.requestEnded = true
  return f
}
