import { fieldBlockOf, pairsOf } from "./field-pairs.ts"
import type { QuicConnection } from "./quic-connection.ts"
import { H3_EXCESSIVE_LOAD, type HeadersKind, type QuicStreamHandler, type StreamEnd } from "./quic-handlers.ts"
import { errorCode, type FieldBlock, type NativeError, type NativeStream, noop } from "./quic-runtime.ts"
import { type EndVerdict, type InputOwner, StreamInput } from "./stream-input.ts"
import { type OutputOwner, StreamOutput } from "./stream-output.ts"

const OWNER = Symbol("owner")
/** A connection that was silent for as long may have timed out, which the runtime calls an end in order. */
const SILENT_MS = 900

/**
 * A bidirectional stream with header sections. Calls that come before the runtime has made the stream are kept and carried out then; calls that come after
 * its end do nothing.
 */
export class QuicStream implements InputOwner, OutputOwner {
  readonly connection: QuicConnection
  /** Who listens to it; may be swapped. */
  handler: QuicStreamHandler
  /** The request came in 0-RTT data and may be a replay (RFC 8470). */
  readonly early: boolean
  /** False to its end: the connection would not take it any more, and nothing of it has left. */
  isMade: boolean
  private native: NativeStream | null
  private readonly input: StreamInput
  private readonly output: StreamOutput
  private head: FieldBlock | null
  private headIsLast: boolean
  private resetWanted: number
  private stopWanted: number
  private cause: StreamEnd
  private nativeClosed: boolean
  private told: boolean
  private asked: boolean
  private endTold: boolean
  private stopTold: boolean

  /** `native` null: it is on its way, and `made` or `failed` follows. */
  constructor(connection: QuicConnection, handler: QuicStreamHandler, native: NativeStream | null) {
    this.connection = connection
    this.handler = handler
    this.early = native?.early === true
    this.isMade = native !== null
    this.native = null
    this.input = new StreamInput(this, connection.unread)
    this.output = new StreamOutput(this)
    this.head = null
    this.headIsLast = false
    this.resetWanted = -1
    this.stopWanted = -1
    this.cause = "done"
    this.nativeClosed = false
    this.told = false
    this.asked = false
    this.endTold = false
    this.stopTold = false
    if (native !== null) this.attach(native)
  }

  /** Its number on the connection; -1 while it is not made, and when it is gone. */
  get id(): number {
    return this.native === null ? -1 : Number(this.native.id)
  }

  /** It waits until the peer allows one more. Given up now it ends, and yet takes a place when there is one: the runtime takes nothing back. */
  get isWaiting(): boolean {
    return this.native?.pending === true
  }

  get mayHaveTrailers(): boolean {
    return this.connection.isClient
  }

  judgeEnd(silentMs: number): EndVerdict {
    // While our half is open the runtime keeps the stream for it, unless the connection goes.
    if (!this.nativeClosed) return "real"
    if (this.cause !== "done") return "cut"
    const { connection } = this
    if (!connection.isLost) {
      if (this.asked) return "real"
      this.asked = true
      return "doubtful"
    }
    if (connection.endedInOrder && silentMs < SILENT_MS) return "real"
    this.cause = "connection"
    return "cut"
  }

  /**
   * Sends a header section: pseudo fields first, names in lower case, latin1 values, no connection fields (RFC 9114 section 4.2); `fin` ends our half with it.
   * Trailing ones end it in any case and leave behind the data. Nothing of a value is checked: CR, LF and NUL are the caller's to refuse. False: not sent, for
   * the stream is gone or there are more than FIELDS_SENT_MAX fields; another section may be tried.
   */
  sendHeaders(pairs: readonly string[], kind: HeadersKind, fin = false): boolean {
    if (this.nativeClosed || this.output.isEnded) return false
    const block = fieldBlockOf(pairs)
    if (kind === "trailing") {
      this.output.end(block)
      return true
    }
    if (this.native === null) {
      this.head = block
      this.headIsLast = fin
      if (fin) this.output.close()
      return true
    }
    return this.send(this.native, block, kind, fin)
  }

  private send(native: NativeStream, block: FieldBlock, kind: HeadersKind, fin: boolean): boolean {
    try {
      if (kind === "informational") return native.sendInformationalHeaders(block)
      if (!native.sendHeaders(block, { terminal: fin })) return false
    } catch {
      // A field that is not allowed here, or a value with a NUL.
      return false
    }
    if (fin) this.output.close()
    return true
  }

  /** Takes the chunk in any case, and copies it. False = write no more until `onDrain`. */
  write(chunk: Uint8Array): boolean {
    return this.output.write(chunk)
  }

  /** Ends our half behind what was written. */
  end(): void {
    this.output.end(null)
  }

  /** Gives up our half (RESET_STREAM); what was not sent yet is dropped. */
  reset(code: number): void {
    this.cause = "reset"
    this.output.close()
    if (this.native === null) this.resetWanted = code
    else if (this.native.pending) this.native.destroy()
    else this.native.resetStream(BigInt(code))
  }

  /** Wants no more from the peer (STOP_SENDING); what has come and was not read is dropped. */
  stopSending(code: number): void {
    this.stopWanted = code
    if (this.native !== null && !this.native.destroyed) this.native.stopSending(BigInt(code))
    this.input.finish()
  }

  /** Both at once: the request is cancelled, refused or failed. */
  abort(code: number): void {
    this.reset(code)
    this.stopSending(code)
  }

  /** Delivers nothing until `resume`. The peer is not held by it: see `unreadBytesMax`. */
  pause(): void {
    this.input.pause()
  }

  resume(): void {
    this.input.resume()
  }

  /** For the connection: the runtime has made the stream. */
  made(native: NativeStream): void {
    if (this.nativeClosed) return this.drop(native)
    this.attach(native)
    if (this.resetWanted >= 0) return giveUp(native, this.resetWanted)
    this.isMade = true
    const { head } = this
    this.head = null
    if (head !== null && !this.send(native, head, "initial", this.headIsLast)) {
      this.abort(H3_EXCESSIVE_LOAD)
      return
    }
    this.output.attach(native)
    if (this.stopWanted >= 0) native.stopSending(BigInt(this.stopWanted))
  }

  private drop(native: NativeStream): void {
    native.onerror = noop
    giveUp(native, H3_EXCESSIVE_LOAD)
  }

  /** For the connection: it could not be made, or the connection is gone. */
  failed(): void {
    this.ended("connection")
    // A request that waits to be read has nobody to be answered to; an answer that waits is whole or not, and is read on.
    if (!this.connection.isClient) this.cutOff()
  }

  private attach(native: NativeStream): void {
    this.native = native
    Object.defineProperty(native, OWNER, { value: this })
    native.onerror = noop
    native.onheaders = onHeaders
    native.oninfo = onInformational
    native.ontrailers = onTrailers
    native.onreset = onReset
    native.closed.then(
      () => this.ended("done"),
      () => this.ended("reset"),
    )
    if (!this.connection.isClient) this.output.attach(native)
  }

  /** The runtime's stream is gone; what it had taken in order is still delivered. */
  private ended(end: StreamEnd): void {
    if (this.nativeClosed) return
    this.nativeClosed = true
    if (this.connection.isLost) this.cause = "connection"
    else if (end !== "done" && this.cause === "done") this.cause = end
    const cutShort = !this.output.isEnded && this.cause === "done"
    this.output.close()
    if (cutShort) this.onOutputStopped()
    // Before the first header section nobody reads. After it the reader is told the end by the runtime.
    if (this.native === null || !this.input.isStarted) this.cutOff()
    this.native = null
    this.tell()
  }

  private tell(): void {
    if (this.told || !this.nativeClosed || !this.input.isFinished) return
    this.told = true
    this.connection.forget(this)
    this.handler.onClose(this, this.cause)
  }

  /** From the runtime. */
  gotHeaders(block: FieldBlock, kind: HeadersKind): void {
    if (this.told) return
    if (kind === "trailing") return this.input.keepTrailers(pairsOf(block))
    this.handler.onHeaders(this, pairsOf(block), kind)
    if (kind === "initial" && this.native !== null) this.input.start(this.native)
  }

  /** From the runtime. */
  gotReset(error: NativeError): void {
    // After our own STOP_SENDING the peer has to answer with a reset; that is no news.
    if (this.told || this.stopWanted >= 0) return
    // Its half has ended: this is a STOP_SENDING, of which the runtime tells so when it leaves nothing to do.
    if (this.endTold) return this.onOutputStopped()
    if (this.cause === "done") this.cause = "reset"
    this.handler.onReset(this, errorCode(error))
    this.input.finish()
  }

  onChunk(chunk: Uint8Array): void {
    this.handler.onData(this, chunk)
  }

  onTrailers(pairs: readonly string[]): void {
    this.handler.onHeaders(this, pairs, "trailing")
  }

  onInputEnd(): void {
    this.endTold = true
    this.handler.onEnd(this)
  }

  onInputFailed(): void {
    if (this.cause === "done") this.cause = "connection"
  }

  private cutOff(): void {
    if (!this.input.isFinished) this.onInputFailed()
    this.input.finish()
  }

  onInputFinished(): void {
    this.tell()
  }

  onUnreadMax(): void {
    this.abort(H3_EXCESSIVE_LOAD)
    this.cause = "unread"
  }

  onOutputDrain(): void {
    this.handler.onDrain(this)
  }

  onOutputStopped(): void {
    if (this.cause === "done") this.cause = "reset"
    if (this.told || this.stopTold) return
    this.stopTold = true
    this.handler.onStopped(this)
  }
}

function giveUp(native: NativeStream, code: number): void {
  if (native.pending) return native.destroy()
  native.resetStream(BigInt(code))
  native.stopSending(BigInt(code))
}

function ownerOf(native: NativeStream): QuicStream {
  return (native as unknown as Record<symbol, QuicStream>)[OWNER]!
}

// The runtime calls these with the stream as `this`.

function onHeaders(this: NativeStream, block: FieldBlock): void {
  ownerOf(this).gotHeaders(block, "initial")
}

function onInformational(this: NativeStream, block: FieldBlock): void {
  ownerOf(this).gotHeaders(block, "informational")
}

function onTrailers(this: NativeStream, block: FieldBlock): void {
  ownerOf(this).gotHeaders(block, "trailing")
}

function onReset(this: NativeStream, error: NativeError): void {
  ownerOf(this).gotReset(error)
}
