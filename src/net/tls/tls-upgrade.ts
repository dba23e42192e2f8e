// HOT
import type { AcceptPoint } from "../accept-point.ts"
import { type NativeWire, silence } from "../dispatch.ts"
import type { Endpoint } from "../proxy-protocol/preface.ts"
import type { WireHandler } from "../wire.ts"
import { listenSettings } from "./default-context.ts"
import type { ServerTls } from "./server-tls.ts"

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

/** Server-side TLS on connections that were accepted in the clear. The socket splits in two: the secured one, and the raw one, which still sees the ciphertext and tells of the end. */
export class TlsUpgrade {
  private readonly tls: ServerTls
  private readonly protocols: Buffer | undefined
  private readonly handlers: object

  constructor(tls: ServerTls, protocols: Buffer | undefined, handlers: object) {
    this.tls = tls
    this.protocols = protocols
    this.handlers = handlers
  }

  /** `first` is what has arrived of the handshake. */
  start(pending: UpgradePending, first: Buffer | null): void {
    const { raw } = pending
    raw.data = silence
    const initialData = first !== null && first.length > 0 ? first : undefined
    const pair = raw.upgradeTLS({ isServer: true, initialData, data: pending, tls: listenSettings(this.tls, this.protocols), socket: this.handlers })
    if (pair === undefined) return raw.terminate()
    pair[0].data = silence
  }
}
