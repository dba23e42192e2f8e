// HOT
import type { QuicStream, Time } from "../../net/index.ts"
import { StreamTunnel, type TunnelStream } from "../h2/stream-tunnel.ts"
import type { DatagramPath } from "./datagram-path.ts"

/** Whoever had the stream before. */
export interface H3TunnelOwner {
  /** What the client is told when the target's side fails. */
  readonly tunnelCode: number
  /** The tunnel has given the stream up. */
  tunnelAborted(): void
}

/** A stream under a tunnel (RFC 9114 section 4.4, RFC 9220), with the datagrams that belong to it. */
export class H3Tunnel implements TunnelStream {
  readonly end: StreamTunnel
  closed = false
  private readonly stream: QuicStream
  private readonly datagrams: DatagramPath | null
  private readonly owner: H3TunnelOwner
  private full = false

  /** `datagrams`: null where the tunnel's octets are no capsules. */
  constructor(stream: QuicStream, time: Time, datagrams: DatagramPath | null, owner: H3TunnelOwner) {
    this.stream = stream
    this.datagrams = datagrams
    this.owner = owner
    this.end = new StreamTunnel(this, time)
    if (datagrams !== null) datagrams.begin(this.end)
  }

  // ---- from the stream

  /** False = the octets are not what the tunnel carries. */
  receive(chunk: Uint8Array): boolean {
    if (this.datagrams !== null) return this.datagrams.fromStream(chunk)
    this.end.receive(chunk)
    return true
  }

  /** The client's half has ended. False = within a capsule, which makes the message malformed (RFC 9297 section 3.3). */
  receiveEnd(): boolean {
    if (this.datagrams !== null && !this.datagrams.endsWell) return false
    this.end.receiveEnd()
    return true
  }

  drained(): void {
    if (!this.full) return
    this.full = false
    this.end.drained()
  }

  gone(): void {
    this.closed = true
    this.end.gone()
  }

  // ---- for the tunnel

  tunnelWrite(chunk: Uint8Array): boolean {
    if (this.closed || chunk.length === 0) return true
    const room = this.datagrams === null ? this.stream.write(chunk) : this.datagrams.write(chunk)
    if (!room) this.full = true
    return room
  }

  tunnelFinish(): void {
    this.stream.end()
  }

  tunnelPause(): void {
    this.stream.pause()
  }

  tunnelResume(): void {
    this.stream.resume()
  }

  tunnelAbort(): void {
    this.closed = true
    this.stream.abort(this.owner.tunnelCode)
    this.owner.tunnelAborted()
  }
}
