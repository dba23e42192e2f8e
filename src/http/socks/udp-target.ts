// HOT
import { type Fault, FAULT } from "../../base/index.ts"
import type { ConnectionInfo } from "../../net/index.ts"
import { CapsuleReader, type CapsuleReceiver, readVarint, udpCapsule } from "../capsule.ts"
import { BODY_NONE, BODY_TUNNEL, type Message } from "../message.ts"
import type { ServerHooks } from "../server-hooks.ts"
import type { TunnelEnd, TunnelReceiver } from "../sides.ts"
import { WordlessDownstream } from "../wordless-sides.ts"
import { CONNECT_UDP } from "../udp-target.ts"
import { describe } from "./describe.ts"

/** Datagrams that wait while the target is being judged and its name resolved. */
const HELD_MAX = 16
const HELD_BYTES_MAX = 64 * 1024

/** Whoever has the socket that the client sends to. */
export interface UdpTargetOwner {
  readonly info: ConnectionInfo
  readonly hooks: ServerHooks
  /** As a field of HTTP has them; "" = none. */
  readonly credentials: string
  /** A payload from `target`. */
  fromTarget(target: UdpTarget, payload: Uint8Array): void
}

/**
 * One target of a UDP association: an exchange of its own, of the kind that CONNECT-UDP is (RFC 9298), so that ports, ranges, rules about hosts and the log hold
 * for each. Payloads go between the two as capsules. Nothing waits once it stands: what cannot be sent is lost.
 */
export class UdpTarget extends WordlessDownstream implements TunnelEnd, CapsuleReceiver {
  /** What the client puts in front of payloads for it, and gets in front of its answers. */
  readonly header: Buffer
  /** When a datagram went either way, or the end came. */
  lastAt: number
  /** It was refused, or its tunnel is over. */
  ended = false
  readonly info: ConnectionInfo
  private readonly owner: UdpTargetOwner
  private readonly capsules: CapsuleReader = new CapsuleReader(this)
  private m: Message | null = null
  private receiver: TunnelReceiver | null = null
  private held: Buffer[] | null = null
  private heldBytes = 0

  constructor(owner: UdpTargetOwner, header: Buffer) {
    super()
    this.owner = owner
    this.info = owner.info
    this.header = header
    this.lastAt = owner.hooks.time.clock.now()
  }

  /** `target`: `host/port` as the template of RFC 9298 has them. */
  begin(target: string): void {
    const { hooks } = this.owner
    const m = hooks.acquire(this)
    this.m = m
    m.method = "GET"
    m.version = 5
    m.forwardForm = true
    m.upgrade = CONNECT_UDP
    m.path = `/.well-known/masque/udp/${target}/`
    m.rulePath = m.path
    m.query = ""
    m.requestBody = BODY_NONE
    m.startedAt = this.lastAt
    // Whom it is for is read from the path, as of all that ask for such a tunnel.
    m.host = ""
    m.authority = ""
    describe(m, this.owner.credentials)
    hooks.start(m)
  }

  /** A payload from the client, lent for this call. */
  send(payload: Buffer): void {
    if (this.receiver !== null) this.receiver.onTunnelData(this, udpCapsule(payload))
    else if (!this.ended) this.hold(payload)
  }

  private hold(payload: Buffer): void {
    if (this.held === null) this.held = []
    if (this.held.length >= HELD_MAX || this.heldBytes + payload.length > HELD_BYTES_MAX) return
    this.held.push(Buffer.from(payload))
    this.heldBytes += payload.length
  }

  /** Ends it from the client's side. */
  close(): void {
    const { m } = this
    this.m = null
    if (m !== null) {
      this.end()
      m.onClientGone(FAULT.aborted)
    } else this.abort()
  }

  private end(): void {
    this.ended = true
    this.held = null
    this.heldBytes = 0
    this.capsules.stop()
    this.lastAt = this.owner.hooks.time.clock.now()
  }

  // ---- Downstream

  sendHead(m: Message): void {
    if (m.responseBody !== BODY_TUNNEL) this.end()
  }

  override sendEnd(_trailers: string): void {
    this.m = null
  }

  takeTunnel(): TunnelEnd {
    this.m = null
    return this
  }

  abort(_fault?: Fault): void {
    this.m = null
    if (!this.ended) this.end()
    const { receiver } = this
    this.receiver = null
    receiver?.onTunnelClose(this)
  }

  // ---- TunnelEnd

  start(receiver: TunnelReceiver, _idleMs: number): void {
    if (this.ended) {
      receiver.onTunnelClose(this)
      return
    }
    this.receiver = receiver
    const { held } = this
    this.held = null
    if (held !== null) for (let i = 0; i < held.length && this.receiver !== null; i++) receiver.onTunnelData(this, udpCapsule(held[i]!))
  }

  write(chunk: Uint8Array): boolean {
    if (!this.ended && !this.capsules.push(chunk)) this.abort()
    return true
  }

  finish(): void {
    this.abort()
  }

  pause(): void {}
  resume(): void {}

  // ---- from the target

  onDatagramCapsule(value: Uint8Array): void {
    // Contexts have to be agreed on, and here none but the first is (RFC 9298 section 4).
    if (value.length > 0 && readVarint(value, 0) === 0) this.owner.fromTarget(this, value.subarray(1))
  }

  onOtherCapsule(): void {}
}
