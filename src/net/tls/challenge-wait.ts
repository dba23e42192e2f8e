// HOT
import { Timer, type TimerOwner } from "../../base/index.ts"
import type { AcceptPoint } from "../accept-point.ts"
import type { NativeWire } from "../dispatch.ts"
import type { WireHandler } from "../wire.ts"
import { UpgradePending } from "./upgrade-pending.ts"

/** Longer than any authority takes to look at a certificate. */
const CHALLENGE_MS = 10_000

/** The connection of a validating authority. It ends with the handshake: no application data may be taken over it (RFC 8737 section 3). */
class ChallengeWait implements WireHandler, TimerOwner {
  private readonly point: AcceptPoint
  private readonly wire: NativeWire
  private readonly timer: Timer

  constructor(point: AcceptPoint, wire: NativeWire) {
    this.point = point
    this.wire = wire
    this.timer = new Timer(this)
    const { time } = point.rules
    time.wheel.schedule(this.timer, time.clock.now() + CHALLENGE_MS)
  }

  onTimer(): void {
    this.wire.terminate()
  }

  onData(): void {
    this.wire.end()
  }

  onDrain(): void {}

  onEnd(): void {
    this.wire.end()
  }

  onClose(): void {
    this.point.rules.time.wheel.cancel(this.timer)
  }
}

export class ChallengePending extends UpgradePending {
  override opened(secured: NativeWire): void {
    this.point.moved(this.raw, secured)
    secured.data = new ChallengeWait(this.point, secured)
  }
}
