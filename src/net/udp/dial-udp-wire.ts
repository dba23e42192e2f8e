// HOT
import { silence } from "../dispatch.ts"
import type { DialHandle, DialHandler } from "../dial.ts"
import { dialUdp, type UdpDialHandler, type UdpPeer, type UdpPeerHandler, type UdpTarget } from "../udp-peer.ts"
import type { Wire, WireHandler } from "../wire.ts"

/** A UDP socket for one peer in the shape of a connection: one write is one datagram, and so is one `onData`. What comes while reading is paused is lost. */
class UdpPeerWire implements Wire, UdpPeerHandler {
  data: WireHandler = silence
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress = ""
  readonly localPort = 0
  private readonly peer: UdpPeer
  private paused = false
  private closed = false

  constructor(peer: UdpPeer, { host, port }: UdpTarget) {
    this.peer = peer
    this.remoteAddress = host
    this.remotePort = port
  }

  write(data: string | Uint8Array, byteOffset = 0, byteLength?: number): number {
    if (this.closed) return -1
    const octets = typeof data === "string" ? Buffer.from(data, "latin1") : data
    const part = byteLength === undefined ? octets : octets.subarray(byteOffset, byteOffset + byteLength)
    this.peer.send(part)
    return part.length
  }

  /** There is no half of it, and nothing is kept that would have to leave first. */
  end(): void {
    this.close()
  }

  shutdown(): void {}

  terminate(): void {
    this.close()
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  private close(): void {
    if (this.closed) return
    this.closed = true
    this.peer.close()
    queueMicrotask(() => this.data.onClose(this, null)) // allow(closure): once a session
  }

  onDatagram(_peer: UdpPeer, data: Uint8Array): void {
    if (!this.paused && !this.closed) this.data.onData(this, data as Buffer)
  }

  onUdpError(_peer: UdpPeer, error: string): void {
    if (this.closed) return
    this.closed = true
    this.data.onClose(this, new Error(error))
  }
}

class UdpWireDial implements UdpDialHandler {
  private readonly target: UdpTarget
  private readonly handler: DialHandler

  constructor(target: UdpTarget, handler: DialHandler) {
    this.target = target
    this.handler = handler
  }

  onOpen(peer: UdpPeer): UdpPeerHandler | null {
    const wire = new UdpPeerWire(peer, this.target)
    const next = this.handler.onOpen(wire, "")
    if (next === null) return null
    wire.data = next
    return wire
  }

  onFailed(kind: Parameters<DialHandler["onFailed"]>[0], detail: string): void {
    this.handler.onFailed(kind, detail)
  }
}

/** Opens a UDP socket that talks to one address, as if it were a connection. Whether anybody answers is not known when it opens. Does not throw. */
export function dialUdpWire(target: UdpTarget, handler: DialHandler): DialHandle {
  return dialUdp(target, new UdpWireDial(target, handler))
}
