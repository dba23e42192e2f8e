// HOT
import { type TunnelEnd, type TunnelReceiver, WireTunnel } from "../../http/index.ts"
import type { Time, Wire, WireHandler } from "../../net/index.ts"

/** Two ends of which the second may come later: bytes, back-pressure and half-closes go across, and the end of one is that of the other. */
export class TunnelJoin implements TunnelReceiver {
  private readonly one: TunnelEnd
  private other: TunnelEnd | null = null
  /** What came before there was anybody to have it. */
  private ahead: Uint8Array[] = []
  private oneEnded = false
  private otherEnded = false
  private closed = false

  constructor(one: TunnelEnd) {
    this.one = one
  }

  /** Nothing has come, and it stands. */
  get untouched(): boolean {
    return this.ahead.length === 0 && !this.oneEnded && !this.closed
  }

  /** The second end is a socket. */
  join(wire: Wire, time: Time): WireHandler {
    const other = new WireTunnel(wire, time).takeTunnel()
    const handler = wire.data
    this.other = other
    if (this.closed) {
      other.abort()
      return handler
    }
    other.start(this, 0)
    const { ahead } = this
    this.ahead = []
    for (let i = 0; i < ahead.length; i++) other.write(ahead[i]!)
    if (this.oneEnded) other.finish()
    this.one.resume()
    return handler
  }

  onTunnelData(from: TunnelEnd, chunk: Uint8Array): void {
    const to = from === this.one ? this.other : this.one
    if (to === null) {
      this.ahead.push(Buffer.from(chunk))
      from.pause()
    } else if (!to.write(chunk)) from.pause()
  }

  onTunnelDrain(from: TunnelEnd): void {
    if (from === this.one) this.other?.resume()
    else this.one.resume()
  }

  onTunnelEnd(from: TunnelEnd): void {
    if (from === this.one) {
      this.oneEnded = true
      this.other?.finish()
    } else {
      this.otherEnded = true
      this.one.finish()
    }
  }

  onTunnelClose(from: TunnelEnd): void {
    if (this.closed) return
    this.closed = true
    if (this.oneEnded && this.otherEnded) return
    if (from === this.one) this.other?.abort()
    else this.one.abort()
  }
}
