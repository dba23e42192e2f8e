// HOT
import { Timer, type TimerOwner } from "../../base/index.ts"
import type { AcceptPoint } from "../accept-point.ts"
import { WireInfo } from "../connection-info.ts"
import { type NativeWire, silence } from "../dispatch.ts"
import type { WireHandler } from "../wire.ts"
import { type ClientHello, readClientHello } from "./client-hello.ts"
import { ACME_TLS, type HelloGate } from "./hello-gate.ts"
import type { UpgradePending } from "./upgrade-pending.ts"

/** Octets that a client may send while its handshake waits. */
const HELD_BYTES_MAX = 131_072

/** An accepted connection whose first message is looked at before TLS begins on it. */
export class HelloWait implements WireHandler, TimerOwner {
  private readonly point: AcceptPoint
  private readonly gate: HelloGate
  private readonly pending: UpgradePending
  private readonly wire: NativeWire
  private readonly info: WireInfo
  private readonly timer: Timer
  private arrived: Buffer
  /** Nothing is awaited any more: TLS has begun, or the connection is gone. */
  private over: boolean
  private held: boolean

  constructor(point: AcceptPoint, gate: HelloGate, pending: UpgradePending) {
    this.point = point
    this.gate = gate
    this.pending = pending
    this.wire = pending.raw
    this.info = new WireInfo(pending.raw, true, null, null).remember()
    this.timer = new Timer(this)
    this.arrived = Buffer.alloc(0)
    this.over = false
    this.held = false
    const { time, handshakeMs } = point.rules
    if (handshakeMs > 0) time.wheel.schedule(this.timer, time.clock.now() + handshakeMs)
  }

  onData(_wire: NativeWire, chunk: Buffer): void {
    if (this.over) return
    // The runtime lends its buffer for the call only.
    this.arrived = Buffer.concat([this.arrived, chunk])
    if (this.arrived.length > HELD_BYTES_MAX) return this.fail("more came than a handshake begins with")
    if (this.held) return
    const hello = readClientHello(this.arrived)
    if (hello === "incomplete") return
    // What is no hello gets its alert from the runtime.
    if (hello === "invalid") return this.start()
    if (hello.protocols.includes(ACME_TLS)) return this.prove(hello)
    this.held = true
    // allow(closure): once a connection, and only while certificates are being made
    if (!this.gate.hold(hello.serverName, () => this.start())) this.start()
  }

  /** A validating authority: it wants the one certificate of its challenge and nothing else. */
  private prove({ serverName }: ClientHello): void {
    const context = this.gate.challenge(serverName)
    if (context === undefined) return this.fail("no challenge is under way for the name that a validating authority asked for")
    this.leave()
    this.point.upgrade!.startChallenge(this.pending, context, this.arrived)
  }

  private start(): void {
    if (this.over) return
    this.leave()
    this.point.upgrade!.start(this.pending, this.arrived)
  }

  private leave(): void {
    this.over = true
    this.point.rules.time.wheel.cancel(this.timer)
    this.wire.data = silence
  }

  private fail(detail: string): void {
    this.leave()
    this.point.fail(this.info, "handshake", detail)
    this.wire.terminate()
  }

  onTimer(): void {
    this.leave()
    this.point.fail(this.info, "timeout", "the client's first message, or a certificate for it, did not come in time")
    this.wire.terminate()
  }

  onDrain(): void {}

  onEnd(): void {
    this.fail("the client closed the connection before its handshake")
  }

  onClose(): void {
    if (this.over) return
    this.leave()
    this.point.fail(this.info, "handshake", "the client closed the connection during the handshake")
  }
}
