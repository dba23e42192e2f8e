// HOT
import { assert, type Fault, FAULT } from "../base/index.ts"
import { BODY_CHUNKED, BODY_NONE, type Downstream, type Message, NAME, type TunnelEnd } from "../http/index.ts"
import type { ConnectionInfo } from "../net/index.ts"
import { expire } from "./engine.ts"
import type { Exchange } from "./exchange.ts"
import { keep, requestBodyCame, requestEndCame } from "./pump.ts"

/**
 * What a filter makes of one body on its way: one object for one body. Chunks are lent: their memory may be another chunk's after the call, so
 * that a change hands on a piece of what it is given, or octets of its own, and copies what it keeps.
 */
export interface BodyChange {
  /** What takes the place of a chunk; may be empty. null = this cannot be read: the exchange ends. */
  push(chunk: Uint8Array): Uint8Array | null
  /** The body is complete: what still has to go out. null as above. `trailers` are those that came, ready-made lines or "". */
  end(trailers: string): Uint8Array | null
  /** Trailers that take the place of those that came; read once, behind `end`. */
  readonly trailers: string
}

/**
 * Lets `change` have the request's body, also what has come of it. From here on its length is unknown. For the request phase: before the first attempt.
 * A body that another filter changes already is changed by both, in their order.
 */
export function changeRequestBody(x: Exchange, change: BodyChange): void {
  const { pump } = x
  assert(!pump.upReady && x.attempts === 0, "a body is changed before it is sent")
  if (x.requestBody === BODY_NONE) return
  x.requestBody = BODY_CHUNKED
  x.request.remove(NAME.contentLength)
  const before = pump.requestChange
  pump.requestChange = change
  const { kept } = pump
  pump.kept = null
  pump.keptBytes = 0
  if (kept !== null) for (let i = 0; i < kept.length; i++) if (!keepChanged(x, change.push(kept[i]!))) return
  if (pump.requestEnded) {
    if (!keepChanged(x, change.end(pump.requestTrailers))) return
    pump.requestTrailers = change.trailers
  }
  if (before !== null) pump.requestChange = new TwoChanges(before, change)
}

function keepChanged(x: Exchange, chunk: Uint8Array | null): boolean {
  if (chunk === null) {
    // The filter is in the middle of its step: its verdict gives way to this.
    x.onRequestFault(FAULT.malformed)
    return false
  }
  if (chunk.length > 0) keep(x.pump, chunk)
  return true
}

/** A chunk of a body that is changed. What counts is what the client sent. */
export function changedRequestBodyCame(x: Exchange, chunk: Uint8Array): void {
  const out = x.pump.requestChange!.push(chunk)
  if (out === null) {
    x.onRequestFault(FAULT.malformed)
    return
  }
  x.requestBytes += chunk.length - out.length
  if (out.length > 0) requestBodyCame(x, out)
}

export function changedRequestEndCame(x: Exchange, trailers: string): void {
  const change = x.pump.requestChange!
  const out = change.end(trailers)
  if (out === null) {
    x.onRequestFault(FAULT.malformed)
    return
  }
  const { generation } = x
  x.requestBytes -= out.length
  if (out.length > 0) requestBodyCame(x, out)
  if (x.generation === generation) requestEndCame(x, change.trailers)
}

/**
 * Lets `change` have the response's body. From here on its length is unknown. For the response phase, before the head has left; a local reply ends
 * it. A body that another filter changes already is changed by both, in their order.
 */
export function changeResponseBody(x: Exchange, change: BodyChange): void {
  assert(!x.headSent && x.down !== null, "a body is changed before its head leaves")
  x.responseBody = BODY_CHUNKED
  x.response.remove(NAME.contentLength)
  if (x.down instanceof ChangedDownstream) x.down.add(change)
  else {
    x.pump.plainDown = x.down
    x.down = new ChangedDownstream(x, x.down!, change)
  }
}

/** The client's side of an exchange whose response body is changed: stands before the codec's own, so that others need not know of it. */
class ChangedDownstream implements Downstream {
  private readonly inner: Downstream
  private readonly x: Exchange
  private change: BodyChange
  private broken = false

  constructor(x: Exchange, inner: Downstream, change: BodyChange) {
    this.x = x
    this.inner = inner
    this.change = change
  }

  add(change: BodyChange): void {
    this.change = new TwoChanges(this.change, change)
  }

  get info(): ConnectionInfo {
    return this.inner.info
  }

  sendInterim(status: number, lines: string): void {
    this.inner.sendInterim(status, lines)
  }

  sendHead(m: Message): void {
    this.inner.sendHead(m)
  }

  sendBody(chunk: Uint8Array): boolean {
    if (this.broken) return true
    const out = this.change.push(chunk)
    if (out === null) {
      this.broken = true
      expire(this.x, FAULT.malformedResponse)
      return true
    }
    this.x.responseBytes += out.length - chunk.length
    return out.length === 0 || this.inner.sendBody(out)
  }

  sendText(text: string): boolean {
    return this.sendBody(Buffer.from(text, "latin1"))
  }

  sendEnd(trailers: string): void {
    if (this.broken) return
    const out = this.change.end(trailers)
    if (out === null) {
      // Whoever calls goes on to the log by itself.
      this.x.fault = FAULT.malformedResponse
      this.inner.abort(FAULT.malformedResponse)
      return
    }
    this.x.responseBytes += out.length
    if (out.length > 0) this.inner.sendBody(out)
    this.inner.sendEnd(this.change.trailers)
  }

  flush(): boolean {
    return this.inner.flush()
  }

  pauseBody(): void {
    this.inner.pauseBody()
  }

  resumeBody(): void {
    this.inner.resumeBody()
  }

  continueBody(): void {
    this.inner.continueBody()
  }

  closeAfter(fault: Fault): void {
    this.inner.closeAfter(fault)
  }

  abort(fault: Fault): void {
    this.inner.abort(fault)
  }

  takeTunnel(): TunnelEnd {
    return this.inner.takeTunnel()
  }
}

/** One change behind another. */
class TwoChanges implements BodyChange {
  private readonly first: BodyChange
  private readonly second: BodyChange
  trailers = ""

  constructor(first: BodyChange, second: BodyChange) {
    this.first = first
    this.second = second
  }

  push(chunk: Uint8Array): Uint8Array | null {
    const out = this.first.push(chunk)
    return out === null || out.length === 0 ? out : this.second.push(out)
  }

  end(trailers: string): Uint8Array | null {
    const rest = this.first.end(trailers)
    if (rest === null) return null
    const before = rest.length === 0 ? rest : this.second.push(rest)
    // Its memory is lent, and the second call may use it again.
    const kept = before === null ? null : Buffer.from(before)
    const after = kept === null ? null : this.second.end(this.first.trailers)
    this.trailers = this.second.trailers
    return kept === null || after === null ? null : kept.length === 0 ? after : Buffer.concat([kept, after])
  }
}
