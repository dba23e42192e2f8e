// HOT
import { assert, type Fault, FAULT } from "../base/index.ts"
import { BODY_CHUNKED, BODY_NONE, NAME } from "../http/index.ts"
import { ChangedDownstream } from "./changed-downstream.ts"
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
  /** Responses: the source has nothing more for now. What is held back and may go out goes, for somebody may wait for it. Absent = nothing is held back. */
  flush?(): Uint8Array | null
  /**
   * Responses: while this is true the head does not leave, so that the change may still decide on its fields; `push` and `flush` then give nothing. Where it is true up to
   * `end`, the body's length is known and is told. Absent = false.
   */
  readonly holdsHead?: boolean
  /** What comes out is what came in: then the length of the body stays what it is. Absent = false. */
  readonly keepsOctets?: boolean
  /** Why `push`, `end` or `flush` gave null. Absent = the body breaks its grammar. */
  readonly fault?: Fault
}

/**
 * Lets `change` have the request's body, also what has come of it. From here on its length is unknown. For the request phase: before the first attempt.
 * A body that another filter changes already is changed by both, in their order.
 */
export function changeRequestBody(x: Exchange, change: BodyChange): void {
  const { pump } = x
  assert(!pump.upReady && x.attempts === 0, "a body is changed before it is sent")
  if (x.requestBody === BODY_NONE) return
  if (change.keepsOctets !== true) {
    x.requestBody = BODY_CHUNKED
    x.request.remove(NAME.contentLength)
  }
  const before = pump.requestChange
  pump.requestChange = change
  const { kept } = pump
  pump.kept = null
  pump.keptBytes = 0
  if (kept !== null) for (let i = 0; i < kept.length; i++) if (!keepChanged(x, change, change.push(kept[i]!))) return
  if (pump.requestEnded) {
    if (!keepChanged(x, change, change.end(pump.requestTrailers))) return
    pump.requestTrailers = change.trailers
  }
  if (before !== null) pump.requestChange = new TwoChanges(before, change)
}

function keepChanged(x: Exchange, change: BodyChange, chunk: Uint8Array | null): boolean {
  if (chunk === null) {
    // The filter is in the middle of its step: its verdict gives way to this.
    x.onRequestFault(change.fault ?? FAULT.malformed)
    return false
  }
  if (chunk.length > 0) keep(x.pump, chunk)
  return true
}

/** A chunk of a body that is changed. What counts is what the client sent. */
export function changedRequestBodyCame(x: Exchange, chunk: Uint8Array): void {
  const change = x.pump.requestChange!
  const out = change.push(chunk)
  if (out === null) {
    x.onRequestFault(change.fault ?? FAULT.malformed)
    return
  }
  x.requestBytes += chunk.length - out.length
  if (out.length > 0) requestBodyCame(x, out)
}

export function changedRequestEndCame(x: Exchange, trailers: string): void {
  const change = x.pump.requestChange!
  const out = change.end(trailers)
  if (out === null) {
    x.onRequestFault(change.fault ?? FAULT.malformed)
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
  if (change.keepsOctets !== true) {
    x.responseBody = BODY_CHUNKED
    x.response.remove(NAME.contentLength)
  }
  const { down } = x
  if (down instanceof ChangedDownstream) {
    down.change = new TwoChanges(down.change, change)
    return
  }
  if (x.pump.plainDown === null) x.pump.plainDown = down
  x.down = new ChangedDownstream(x, down!, change)
}

const NOTHING = new Uint8Array(0)

/** One change behind another. */
class TwoChanges implements BodyChange {
  private readonly first: BodyChange
  private readonly second: BodyChange
  /** The one that gave null. */
  private broken: BodyChange | null = null
  trailers = ""

  constructor(first: BodyChange, second: BodyChange) {
    this.first = first
    this.second = second
  }

  get holdsHead(): boolean {
    return this.first.holdsHead === true || this.second.holdsHead === true
  }

  get fault(): Fault | undefined {
    return this.broken?.fault
  }

  push(chunk: Uint8Array): Uint8Array | null {
    const out = this.first.push(chunk)
    if (out === null) return this.breaks(this.first)
    return out.length === 0 ? out : this.pushSecond(out)
  }

  private pushSecond(chunk: Uint8Array): Uint8Array | null {
    const out = this.second.push(chunk)
    return out === null ? this.breaks(this.second) : out
  }

  private breaks(change: BodyChange): null {
    this.broken = change
    return null
  }

  flush(): Uint8Array | null {
    const { first, second } = this
    const rest = first.flush === undefined ? NOTHING : first.flush()
    if (rest === null) return this.breaks(first)
    // While the first has not begun the second has nothing to say of the body's beginning, and its head waits.
    if (first.holdsHead === true) return rest
    const before = rest.length === 0 ? rest : this.pushSecond(rest)
    if (before === null || second.flush === undefined) return before
    return joined(before, second) ?? this.breaks(second)
  }

  end(trailers: string): Uint8Array | null {
    const rest = this.first.end(trailers)
    if (rest === null) return this.breaks(this.first)
    const before = rest.length === 0 ? rest : this.pushSecond(rest)
    if (before === null) return null
    // Its memory is lent, and the second call may use it again.
    const kept = before.length === 0 ? before : Buffer.from(before)
    const after = this.second.end(this.first.trailers)
    this.trailers = this.second.trailers
    return after === null ? this.breaks(this.second) : both(kept, after)
  }
}

function joined(before: Uint8Array, change: BodyChange): Uint8Array | null {
  const kept = before.length === 0 ? before : Buffer.from(before)
  const after = change.flush!()
  return after === null ? null : both(kept, after)
}

function both(before: Uint8Array, after: Uint8Array): Uint8Array {
  if (before.length === 0) return after
  return after.length === 0 ? before : Buffer.concat([before, after])
}
