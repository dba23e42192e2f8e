// HOT
import { Timer, type TimerOwner } from "../../base/index.ts"
import type { AcceptFailure, AcceptPoint } from "../accept-point.ts"
import type { ConnectionInfo } from "../connection-info.ts"
import type { NativeWire } from "../dispatch.ts"
import type { WireHandler } from "../wire.ts"

/** How long the runtime may take to send its alert and close. */
const CLOSING_MS = 1000

/** An accepted connection during its TLS handshake. */
export class HandshakeWait implements WireHandler, TimerOwner {
  private readonly point: AcceptPoint
  private readonly wire: NativeWire
  private readonly info: ConnectionInfo
  private readonly timer: Timer
  private failed: boolean

  constructor(point: AcceptPoint, wire: NativeWire, info: ConnectionInfo) {
    this.point = point
    this.wire = wire
    this.info = info
    this.timer = new Timer(this)
    this.failed = false
    const { time, handshakeMs } = point.rules
    if (handshakeMs > 0) time.wheel.schedule(this.timer, time.clock.now() + handshakeMs)
  }

  /** `error` is set, too, when the client showed no certificate, even if it was not asked for one. */
  onHandshake(wire: NativeWire, success: boolean, error: (Error & { code?: string }) | null): void {
    if (this.failed) return
    const { tls, time } = this.point.rules
    if (!success) return this.fail("handshake", handshakeText(error))
    if (tls !== null && tls.clientCertificates === "required" && !wire.authorized) {
      return this.fail("handshake", `the client certificate does not verify (${error?.code ?? "no reason given"})`)
    }
    time.wheel.cancel(this.timer)
    this.point.ready(wire, this.info)
  }

  /** Told once; the alert still has to leave. */
  private fail(failure: AcceptFailure, detail: string): void {
    this.failed = true
    const { time } = this.point.rules
    time.wheel.schedule(this.timer, time.clock.now() + CLOSING_MS)
    this.point.fail(this.info, failure, detail)
    this.wire.end()
  }

  onTimer(): void {
    if (!this.failed) this.fail("timeout", "the TLS handshake did not finish in time")
    this.wire.terminate()
  }

  onData(): void {}
  onDrain(): void {}

  onEnd(): void {
    this.wire.end()
  }

  onClose(): void {
    this.point.rules.time.wheel.cancel(this.timer)
    if (this.failed) return
    this.failed = true
    this.point.fail(this.info, "handshake", "the client closed the connection during the handshake")
  }
}

function handshakeText(error: (Error & { code?: string }) | null): string {
  if (error === null) return "the handshake failed"
  return error.code === "ECONNRESET" ? "the client closed the connection during the handshake" : error.message
}
