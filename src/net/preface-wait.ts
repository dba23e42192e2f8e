// HOT
import { Timer, type TimerOwner } from "../base/index.ts"
import type { AcceptFailure, AcceptPoint } from "./accept-point.ts"
import { type ConnectionInfo, WireInfo } from "./connection-info.ts"
import { type NativeWire, silence } from "./dispatch.ts"
import { parsePreface } from "./proxy-protocol/parse-preface.ts"
import type { WireHandler } from "./wire.ts"

/** An accepted connection whose PROXY protocol header has yet to arrive. */
export class PrefaceWait implements WireHandler, TimerOwner {
  private readonly point: AcceptPoint
  private readonly wire: NativeWire
  private readonly info: ConnectionInfo
  private readonly timer: Timer
  private arrived: Buffer | null

  constructor(point: AcceptPoint, wire: NativeWire) {
    this.point = point
    this.wire = wire
    this.info = new WireInfo(wire, false, null, null).remember()
    this.timer = new Timer(this)
    this.arrived = null
    const { time, handshakeMs } = point.rules
    if (handshakeMs > 0) time.wheel.schedule(this.timer, time.clock.now() + handshakeMs)
  }

  onData(_wire: NativeWire, chunk: Buffer): void {
    // The parser refuses what is too long to become a header, so this grows no further than that.
    const all = this.arrived === null ? chunk : Buffer.concat([this.arrived, chunk])
    const preface = parsePreface(all)
    if (preface.status === "incomplete") {
      this.arrived = all
      return
    }
    if (preface.status === "invalid") return this.fail("bad-preface", preface.reason)
    this.leave()
    this.point.named(this.wire, preface.source, preface.destination, all.subarray(preface.length))
  }

  private leave(): void {
    this.point.rules.time.wheel.cancel(this.timer)
    this.arrived = null
    this.wire.data = silence
  }

  private fail(failure: AcceptFailure, detail: string): void {
    this.leave()
    this.point.fail(this.info, failure, detail)
    this.wire.terminate()
  }

  onTimer(): void {
    this.fail("timeout", "the PROXY protocol header did not arrive in time")
  }

  onDrain(): void {}

  onEnd(): void {
    this.fail("bad-preface", "the connection ended before its PROXY protocol header")
  }

  onClose(): void {
    this.leave()
    this.point.fail(this.info, "bad-preface", "the connection broke before its PROXY protocol header")
  }
}
