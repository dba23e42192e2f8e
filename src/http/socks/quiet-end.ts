// HOT
import { assert } from "../../base/index.ts"
import type { Message } from "../message.ts"
import type { TunnelEnd, TunnelReceiver } from "../sides.ts"
import { TunnelUpstream } from "../wordless-sides.ts"

/** A request for a UDP relay, which only SOCKS makes: no method of HTTP comes by such a version. */
export function asksForRelay({ method, version }: Message): boolean {
  return version === 5 && method === "ASSOCIATE"
}

/** The far end of a UDP association, where there is not one peer but many: what the client sends goes to them, and is only counted here. */
export class QuietEnd extends TunnelUpstream implements TunnelEnd {
  private receiver: TunnelReceiver | null = null
  private closed = false

  /** What has come from one of the peers, as the client is to have it. */
  deliver(packet: Uint8Array): void {
    this.receiver?.onTunnelData(this, packet)
  }

  takeTunnel(): TunnelEnd {
    return this
  }

  start(receiver: TunnelReceiver, _idleMs: number): void {
    assert(this.receiver === null, "a tunnel starts once")
    if (this.closed) receiver.onTunnelClose(this)
    else this.receiver = receiver
  }

  write(): boolean {
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
    const { receiver } = this
    this.receiver = null
    receiver?.onTunnelClose(this)
  }
}
