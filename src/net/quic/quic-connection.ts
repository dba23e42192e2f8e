import type { ClientCertificate } from "../connection-info.ts"
import { H3_REQUEST_REJECTED, type QuicConnectionHandler, type QuicStreamHandler } from "./quic-handlers.ts"
import { errorText, type NativeError, type NativeHandshake, type NativeSession, type NativeStream, noop } from "./quic-runtime.ts"
import { QuicStream } from "./quic-stream.ts"
import { silentStream } from "./silent-stream.ts"
import type { UnreadMeter } from "./unread-meter.ts"

/** Who is at the other end, and how it came. */
export interface QuicConnectionFacts {
  /** IPv4 never in mapped form. The address at the handshake: the runtime does not tell where a client has moved to. */
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /** The name that the client asked for, lower case, without a final dot; "" when none. On connections that we dialed, the name we asked for. */
  readonly serverName: string
  readonly alpn: string
  readonly tlsVersion: string
  /** null = none was asked for or shown. An unverified one is never accepted. */
  readonly clientCertificate: ClientCertificate | null
  /** 0-RTT data was accepted; which streams came in it, `QuicStream.early` says. */
  readonly earlyData: boolean
}

const H3_NO_ERROR = 0x100n
/** Datagrams that may wait to be sent: a turn's worth of a fast sender. The runtime drops older ones beyond it. */
const DATAGRAMS_PENDING_MAX = 1024

/** One QUIC connection, from its handshake to its end. */
export class QuicConnection {
  readonly facts: QuicConnectionFacts
  readonly isClient: boolean
  handler: QuicConnectionHandler
  /** What has come on its streams and was not read. */
  readonly unread: UnreadMeter
  private readonly native: NativeSession
  private readonly streams: Set<QuicStream>
  private goingAway: boolean
  private lost: boolean
  /** It was closed with no error, by the peer or by us. */
  endedInOrder: boolean

  constructor(native: NativeSession, facts: QuicConnectionFacts, unread: UnreadMeter, isClient: boolean) {
    this.native = native
    this.facts = facts
    this.unread = unread
    this.isClient = isClient
    this.handler = silentConnection
    this.streams = new Set()
    this.goingAway = false
    this.lost = false
    this.endedInOrder = false
    native.maxPendingDatagrams = DATAGRAMS_PENDING_MAX
  }

  /** It is gone; nothing more will come. */
  get isLost(): boolean {
    return this.lost || this.native.destroyed
  }

  /** False when no stream can be opened: it is gone, closing, or one side has sent GOAWAY. */
  get isOpen(): boolean {
    return !this.isLost && !this.goingAway && !this.native.closing
  }

  /** Streams that are open, both sides' together. */
  get streamCount(): number {
    return this.streams.size
  }

  /** Streams that the peer lets us have open at once; more wait in the runtime until one ends. */
  get peerStreamsMax(): number {
    const params = this.native.destroyed ? null : this.native.remoteTransportParams
    return params === null || params === undefined ? 0 : Number(params.initialMaxStreamsBidi)
  }

  /** Octets that have come, acknowledgements among them: more of them say that the peer is there. */
  get octetsReceived(): number {
    return this.native.destroyed ? 0 : Number(this.native.stats.bytesReceived)
  }

  get octetsSent(): number {
    return this.native.destroyed ? 0 : Number(this.native.stats.bytesSent)
  }

  /** Octets that a datagram may have; 0 = the peer takes none. */
  get datagramBytesMax(): number {
    return this.native.destroyed ? 0 : this.native.maxDatagramSize
  }

  /** Opens a stream. One that cannot be made ends with `onClose(stream, "connection")` in a later turn. */
  openStream(handler: QuicStreamHandler): QuicStream {
    const stream = new QuicStream(this, handler, null)
    this.streams.add(stream)
    this.make(stream)
    return stream
  }

  private make(stream: QuicStream): void {
    const failed = (): void => stream.failed()
    if (!this.isOpen) return queueMicrotask(failed)
    this.native.createBidirectionalStream({}).then(native => stream.made(native), failed)
  }

  /** Sends a datagram; false = it is too long, or the peer takes none. It may get lost like any datagram. */
  sendDatagram(data: Uint8Array): boolean {
    if (this.isLost || this.native.closing || data.length === 0 || data.length > this.native.maxDatagramSize) return false
    this.native.sendDatagram(data).catch(noop)
    return true
  }

  /** Takes no more streams, tells the peer so (GOAWAY) and closes when the open ones have ended. The runtime opens none after that either. */
  goAway(): void {
    if (this.isLost || this.goingAway) return
    this.goingAway = true
    if (!this.native.closing) void this.native.close()
  }

  /** Closes at once, with an application error code (RFC 9114 section 8.1); streams end with `connection`. */
  close(code: number, reason = ""): void {
    if (this.isLost) return
    this.native.destroy(undefined, { code: BigInt(code), type: "application", reason })
  }

  /** For the room: the runtime's stream, opened by the peer. */
  accept(native: NativeStream): void {
    const stream = new QuicStream(this, silentStream, native)
    this.streams.add(stream)
    const handler = this.isClient ? null : this.handler.onStream(this, stream)
    if (handler === null) stream.abort(H3_REQUEST_REJECTED)
    else stream.handler = handler
  }

  /** For the room: the stream has ended. */
  forget(stream: QuicStream): void {
    this.streams.delete(stream)
  }

  /** For the room: the peer has sent GOAWAY. */
  peerGoesAway(): void {
    if (this.goingAway || this.isLost) return
    this.goingAway = true
    this.handler.onGoAway(this)
  }

  /** For the room: the runtime's session has ended. */
  ended(error: NativeError | null): void {
    if (this.lost) return
    this.lost = true
    this.endedInOrder = error === null || error.errorCode === H3_NO_ERROR
    for (const stream of this.streams) stream.failed()
    this.unread.end()
    this.handler.onClose(this, this.endedInOrder ? "" : errorText(error))
  }
}

export const silentConnection: QuicConnectionHandler = {
  onStream: () => null,
  onDatagram(): void {},
  onGoAway(): void {},
  onClose(): void {},
}

/** The facts that a finished handshake tells; the rest is the listener's or dialer's to know. */
export function handshakeFacts(info: NativeHandshake): { alpn: string; tlsVersion: string; earlyData: boolean } {
  return { alpn: info.protocol ?? "", tlsVersion: info.cipherVersion, earlyData: info.earlyDataAccepted }
}
