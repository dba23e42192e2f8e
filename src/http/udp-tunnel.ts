// HOT
import { assert } from "../base/index.ts"
import type { UdpPeer, UdpPeerHandler } from "../net/index.ts"
import { CapsuleReader, type CapsuleReceiver, readVarint, UDP_PAYLOAD_BYTES_MAX, udpCapsule, varintOctets } from "./capsule.ts"
import type { TunnelEnd, TunnelReceiver } from "./sides.ts"
import { TunnelUpstream } from "./wordless-sides.ts"

/**
 * The upstream side of CONNECT-UDP (RFC 9298): a tunnel whose octets are capsules, and a UDP socket behind it. Nothing waits here: while the client takes no more,
 * what comes from the peer is lost. It has no idle limit of its own, since all of its octets pass the client's end, which has one.
 */
export class UdpTunnel extends TunnelUpstream implements TunnelEnd, UdpPeerHandler, CapsuleReceiver {
  /** Datagrams that came while the client took no more. */
  dropped = 0
  private readonly peer: UdpPeer
  private readonly capsules: CapsuleReader = new CapsuleReader(this)
  private receiver: TunnelReceiver | null = null
  private paused = false
  private closed = false

  constructor(peer: UdpPeer) {
    super()
    this.peer = peer
  }

  takeTunnel(): TunnelEnd {
    return this
  }

  // ---- TunnelEnd

  start(receiver: TunnelReceiver, _idleMs: number): void {
    assert(this.receiver === null, "a tunnel starts once")
    if (this.closed) receiver.onTunnelClose(this)
    else this.receiver = receiver
  }

  write(chunk: Uint8Array): boolean {
    if (!this.closed && !this.capsules.push(chunk)) this.abort()
    return true
  }

  /** The client has ended its stream, and with it the tunnel (RFC 9298 section 3.1). One that ends within a capsule was cut (RFC 9297 section 3.3). */
  finish(): void {
    if (this.closed) return
    if (this.capsules.isWhole && this.receiver !== null) this.receiver.onTunnelEnd(this)
    this.abort()
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  abort(): void {
    if (this.closed) return
    this.closed = true
    this.capsules.stop()
    this.peer.close()
    const { receiver } = this
    this.receiver = null
    if (receiver !== null) receiver.onTunnelClose(this)
  }

  // ---- from the client

  onDatagramCapsule(value: Uint8Array): void {
    const octets = value.length === 0 ? 1 : varintOctets(value[0]!)
    // Without a context id it is no datagram, and longer than UDP can be it is none either (RFC 9298 sections 4 and 5).
    if (value.length < octets) this.abort()
    // Contexts have to be agreed on, and here none but the first is (section 4).
    else if (readVarint(value, 0) !== 0) return
    else if (value.length - octets > UDP_PAYLOAD_BYTES_MAX) this.abort()
    else this.peer.send(value.subarray(octets))
  }

  onOtherCapsule(): void {}

  // ---- from the peer

  onDatagram(_peer: UdpPeer, data: Uint8Array): void {
    if (this.paused || this.receiver === null) this.dropped++
    else this.receiver.onTunnelData(this, udpCapsule(data))
  }

  onUdpError(): void {
    this.abort()
  }
}
