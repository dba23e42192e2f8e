// HOT
import type { AcceptPoint } from "../accept-point.ts"
import type { NativeWire } from "../dispatch.ts"
import type { Endpoint } from "../proxy-protocol/preface.ts"
import type { WireHandler } from "../wire.ts"

/** What the secured side of an accepted connection starts from. */
export class UpgradePending implements WireHandler {
  readonly point: AcceptPoint
  readonly raw: NativeWire
  private readonly source: Endpoint | null
  private readonly destination: Endpoint | null

  constructor(point: AcceptPoint, raw: NativeWire, source: Endpoint | null, destination: Endpoint | null) {
    this.point = point
    this.raw = raw
    this.source = source
    this.destination = destination
  }

  opened(secured: NativeWire): void {
    this.point.moved(this.raw, secured)
    this.point.handshake(secured, this.source, this.destination)
  }

  onData(): void {}
  onDrain(): void {}
  onEnd(): void {}
  onClose(): void {}
}
