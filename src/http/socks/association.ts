// HOT
import { assert, FAULT, Timer, type TimerOwner } from "../../base/index.ts"
import { type ConnectionInfo, openUdpRelay, type UdpRelay, type UdpRelayHandler } from "../../net/index.ts"
import type { QuietEnd } from "./quiet-end.ts"
import type { ServerHooks } from "../server-hooks.ts"
import type { TunnelEnd, TunnelReceiver } from "../sides.ts"
import { payloadAt, targetOf } from "./udp-header.ts"
import { UdpTarget, type UdpTargetOwner } from "./udp-target.ts"
import type { SocksUdpOptions } from "./socks-options.ts"

/** A target that was refused, or is gone, is asked for anew no sooner. */
const REFUSED_MS = 2000
const SWEEP_MS_MAX = 5000
const PACKET_BYTES_MAX = 65_535

/** The client's TCP connection, on which the association stands. */
export interface AssociationOwner {
  readonly info: ConnectionInfo
  readonly hooks: ServerHooks
  readonly credentials: string
  /** The relay is there, at this port; 0 = it is not to be had. */
  relayReady(port: number): void
  /** The association is over. */
  relayGone(): void
}

const packet = Buffer.allocUnsafeSlow(PACKET_BYTES_MAX)

/**
 * A UDP relay of one client (RFC 1928 section 7). It hears only from the address that the TCP connection came from, and only from one port of it: the one that the
 * client named, or the first that is heard from. To whom a datagram goes is an exchange for each target.
 */
export class Association implements TunnelEnd, UdpRelayHandler, UdpTargetOwner, TimerOwner {
  readonly info: ConnectionInfo
  readonly hooks: ServerHooks
  readonly credentials: string
  private readonly owner: AssociationOwner
  private readonly options: SocksUdpOptions
  private readonly far: QuietEnd
  private readonly targets = new Map<string, UdpTarget>()
  private readonly timer: Timer = new Timer(this)
  private relay: UdpRelay | null = null
  private receiver: TunnelReceiver | null = null
  private clientPort: number
  private idleMs = 0
  private lastAt = 0
  private closed = false

  /** `port`: of the client's datagrams; 0 = it will show. */
  constructor(owner: AssociationOwner, options: SocksUdpOptions, far: QuietEnd, port: number) {
    this.owner = owner
    this.info = owner.info
    this.hooks = owner.hooks
    this.credentials = owner.credentials
    this.options = options
    this.far = far
    this.clientPort = port
  }

  // ---- TunnelEnd

  start(receiver: TunnelReceiver, idleMs: number): void {
    assert(this.receiver === null, "a tunnel starts once")
    if (this.closed) {
      receiver.onTunnelClose(this)
      return
    }
    this.receiver = receiver
    this.idleMs = idleMs
    this.lastAt = this.hooks.time.clock.now()
    this.relay = openUdpRelay(this.info.localAddress, this)
    this.sweepLater()
  }

  /** Packets for the client, header and all. */
  write(chunk: Uint8Array): boolean {
    if (this.relay !== null && this.clientPort > 0) this.relay.send(chunk, this.clientPort, this.info.remoteAddress)
    return true
  }

  finish(): void {
    this.abort()
  }

  pause(): void {}
  resume(): void {}

  abort(): void {
    if (this.closed) return
    this.closed = true
    this.hooks.time.wheel.cancel(this.timer)
    this.relay?.close()
    this.relay = null
    for (const target of this.targets.values()) target.close()
    this.targets.clear()
    const { receiver } = this
    this.receiver = null
    this.owner.relayGone()
    receiver?.onTunnelClose(this)
  }

  // ---- the relay's socket

  onRelayOpen(port: number): void {
    this.owner.relayReady(port)
  }

  onRelayFailed(_detail: string): void {
    this.owner.relayReady(0)
    this.abort()
  }

  onRelayDatagram(data: Buffer, port: number, address: string): void {
    if (address !== this.info.remoteAddress || (this.clientPort !== 0 && port !== this.clientPort)) return
    const at = payloadAt(data)
    if (at === 0) return
    this.hooks.time.clock.tick()
    this.clientPort = port
    const target = this.targetFor(data, at)
    if (target === null) return
    this.lastAt = this.hooks.time.clock.now()
    target.lastAt = target.ended ? target.lastAt : this.lastAt
    this.receiver?.onTunnelData(this, data)
    target.send(data.subarray(at))
  }

  /** null = it has as many as it may, and this one is lost. */
  private targetFor(data: Buffer, at: number): UdpTarget | null {
    const key = data.latin1Slice(3, at)
    const known = this.targets.get(key)
    if (known !== undefined && !(known.ended && this.hooks.time.clock.now() - known.lastAt >= REFUSED_MS)) return known
    if (known === undefined && this.targets.size >= this.options.targetsMax) {
      this.hooks.faulted(FAULT.socksTargets)
      return null
    }
    const target = new UdpTarget(this, Buffer.from(data.subarray(0, at)))
    this.targets.set(key, target)
    target.begin(targetOf(data, at))
    return target
  }

  fromTarget(target: UdpTarget, payload: Uint8Array): void {
    const { header } = target
    const length = header.length + payload.length
    if (length > PACKET_BYTES_MAX) return
    this.lastAt = this.hooks.time.clock.now()
    target.lastAt = this.lastAt
    packet.set(header, 0)
    packet.set(payload, header.length)
    this.far.deliver(packet.subarray(0, length))
  }

  // ---- time

  private sweepLater(): void {
    const { wheel, clock } = this.hooks.time
    wheel.schedule(this.timer, clock.now() + Math.min(SWEEP_MS_MAX, this.options.idleMs / 2))
  }

  onTimer(): void {
    const now = this.hooks.time.clock.now()
    if (this.idleMs > 0 && now - this.lastAt >= this.idleMs) {
      this.abort()
      return
    }
    for (const [key, target] of this.targets) {
      if (now - target.lastAt < (target.ended ? REFUSED_MS : this.options.idleMs)) continue
      this.targets.delete(key)
      target.close()
    }
    this.sweepLater()
  }
}
