// HOT
import type { ConnectionInfo } from "../connection-info.ts"
import { silence } from "../dispatch.ts"
import type { Wire, WireHandler } from "../wire.ts"

/** Datagrams of one client that are kept while its peer is being found. */
const HELD_MAX = 64
const HELD_BYTES_MAX = 64 * 1024

/** Whoever has the socket that a client's datagrams come by. */
export interface UdpClientOwner {
  sendTo(data: Uint8Array, wire: UdpClientWire): void
  closed(wire: UdpClientWire): void
}

/** What one client sends to a UDP port, in the shape of a connection: one `onData` is one datagram, and so is one write. */
export class UdpClientWire implements Wire, ConnectionInfo {
  data: WireHandler = silence
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly secure = false
  readonly serverName = ""
  readonly alpn = ""
  readonly tlsVersion = ""
  readonly clientCertificate = null
  /** What the owner finds it by. */
  readonly key: string
  /** Place among the counted clients. */
  slot = -1
  private readonly owner: UdpClientOwner
  private held: Buffer[] | null = null
  private heldBytes = 0
  private paused = false
  private over = false

  constructor(owner: UdpClientOwner, key: string, remote: { address: string; port: number }, local: { address: string; port: number }) {
    this.owner = owner
    this.key = key
    this.remoteAddress = remote.address
    this.remotePort = remote.port
    this.localAddress = local.address
    this.localPort = local.port
  }

  get peerAddress(): string {
    return this.remoteAddress
  }

  get isOver(): boolean {
    return this.over
  }

  /** A datagram has come. What does not fit while nobody may read is lost, as datagrams may be. */
  received(data: Buffer): void {
    if (this.over) return
    if (!this.paused && this.held === null) {
      this.data.onData(this, data)
      return
    }
    if (this.held === null) this.held = []
    if (this.held.length >= HELD_MAX || this.heldBytes + data.length > HELD_BYTES_MAX) return
    this.held.push(Buffer.from(data))
    this.heldBytes += data.length
  }

  write(data: string | Uint8Array, byteOffset = 0, byteLength?: number): number {
    if (this.over) return -1
    const octets = typeof data === "string" ? Buffer.from(data, "latin1") : data
    const part = byteLength === undefined ? octets : octets.subarray(byteOffset, byteOffset + byteLength)
    this.owner.sendTo(part, this)
    return part.length
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    const { held } = this
    if (held === null) return
    let sent = 0
    while (sent < held.length && !this.paused && !this.over) this.data.onData(this, held[sent++]!)
    if (sent === held.length) {
      this.held = null
      this.heldBytes = 0
    } else held.splice(0, sent)
  }

  end(): void {
    this.terminate()
  }

  /** There is no half of it. */
  shutdown(): void {}

  terminate(): void {
    if (this.over) return
    this.over = true
    this.owner.closed(this)
    queueMicrotask(() => this.data.onClose(this, null)) // allow(closure): once a session
  }
}
