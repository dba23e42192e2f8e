import type { DialFailure, DialHandle, QuicConnection, QuicDialHandler, QuicStream, QuicStreamHandler } from "../../src/net/index.ts"

/** A stream without a network: the test answers. */
export class FakeQuicStream {
  readonly isMade = true
  readonly isWaiting = false
  readonly handler: QuicStreamHandler
  private readonly connection: FakeQuic
  private over = false

  constructor(connection: FakeQuic, handler: QuicStreamHandler) {
    this.connection = connection
    this.handler = handler
  }

  private get self(): QuicStream {
    return this as unknown as QuicStream
  }

  sendHeaders(): boolean {
    return true
  }
  write(): boolean {
    return true
  }
  end(): void {}
  pause(): void {}
  resume(): void {}
  reset(): void {}

  abort(): void {
    this.connection.aborted.push(this)
  }

  /** A whole answer. */
  respond(): void {
    if (this.over) return
    this.handler.onHeaders(this.self, [":status", "200", "content-length", "2"], "initial")
    this.handler.onData(this.self, Buffer.from("h3"))
    this.handler.onEnd(this.self)
    this.close("done")
  }

  /** The peer gives it back unread. */
  refuse(): void {
    if (this.over) return
    this.handler.onReset(this.self, 0x10b)
    this.close("reset")
  }

  close(end: "done" | "reset" | "connection"): void {
    if (this.over) return
    this.over = true
    this.connection.streams.delete(this)
    this.handler.onClose(this.self, end)
  }
}

/** A connection over QUIC without a network. */
export class FakeQuic {
  isOpen = true
  endedInOrder = false
  octetsReceived = 1000
  readonly peerStreamsMax: number
  readonly streams = new Set<FakeQuicStream>()
  /** Given up by us, and not closed yet. */
  readonly aborted: FakeQuicStream[] = []
  handler: { onGoAway(c: QuicConnection): void; onClose(c: QuicConnection, error: string): void } | null = null

  constructor(peerStreamsMax: number) {
    this.peerStreamsMax = peerStreamsMax
  }

  openStream(handler: QuicStreamHandler): QuicStream {
    const stream = new FakeQuicStream(this, handler)
    this.streams.add(stream)
    return stream as unknown as QuicStream
  }

  close(): void {
    this.end("")
  }

  /** What was given up is gone. */
  settle(): void {
    for (const stream of this.aborted.splice(0)) stream.close("reset")
  }

  goAway(): void {
    this.isOpen = false
    this.handler?.onGoAway(this as unknown as QuicConnection)
  }

  /** By either side. */
  end(error: string): void {
    if (this.handler === null) return
    const { handler } = this
    this.isOpen = false
    this.handler = null
    this.endedInOrder = error === ""
    for (const stream of [...this.streams]) stream.close("connection")
    handler.onClose(this as unknown as QuicConnection, error)
  }
}

/** A dial over QUIC that is neither open nor failed. */
export class PendingQuicDial implements DialHandle {
  private readonly list: PendingQuicDial[]
  private readonly handler: QuicDialHandler

  constructor(list: PendingQuicDial[], handler: QuicDialHandler) {
    this.list = list
    this.handler = handler
    list.push(this)
  }

  cancel(): void {
    this.finish()
  }

  private finish(): void {
    const at = this.list.indexOf(this)
    if (at < 0) throw new Error("a dial ends once")
    this.list.splice(at, 1)
  }

  open(streamsMax = 100): FakeQuic {
    this.finish()
    const quic = new FakeQuic(streamsMax)
    quic.handler = this.handler.onOpen(quic as unknown as QuicConnection)
    return quic
  }

  fail(kind: DialFailure = "timeout"): void {
    this.finish()
    this.handler.onFailed(kind, "")
  }
}
