import type { Upstream } from "../http/index.ts"
import { UdpTunnel } from "../http/index.ts"
import type { DialFailure, UdpDialHandler, UdpPeer, UdpPeerHandler } from "../net/index.ts"

/** Whoever waits for a UDP tunnel. */
export interface UdpWaiter {
  tunnelStands(end: Upstream): void
  onFailed(kind: DialFailure, detail: string): void
}

/** Makes a UDP socket that has been opened the other end of a tunnel (RFC 9298). One for each. */
export class UdpJoin implements UdpDialHandler {
  private readonly waiter: UdpWaiter

  constructor(waiter: UdpWaiter) {
    this.waiter = waiter
  }

  onOpen(peer: UdpPeer): UdpPeerHandler {
    const end = new UdpTunnel(peer)
    this.waiter.tunnelStands(end)
    return end
  }

  onFailed(kind: DialFailure, detail: string): void {
    this.waiter.onFailed(kind, detail)
  }
}
