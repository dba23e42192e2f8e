// HOT
import { assert } from "../base/index.ts"
import type { TunnelEnd, TunnelReceiver } from "../http/index.ts"
import { resume } from "./engine.ts"
import type { Exchange } from "./exchange.ts"
import { NEXT, type Verdict, WAIT } from "./verdict.ts"

const open = new Set<Tunnel>()

/** Tunnels that are open in this thread. */
export function tunnelCount(): number {
  return open.size
}

/** Cuts the tunnels whose exchange `isMeant`: both ends close at once. Returns their exchanges. */
export function cutTunnels(isMeant: (x: Exchange) => boolean): Exchange[] {
  const cut: Exchange[] = []
  for (const tunnel of open) {
    if (!isMeant(tunnel.x)) continue
    cut.push(tunnel.x)
    tunnel.cut()
  }
  return cut
}

/** Two ends joined: bytes, back-pressure and half-closes go across (RFC 9110 section 9.3.6). The exchange goes on when both have closed. */
class Tunnel implements TunnelReceiver {
  readonly x: Exchange
  private readonly generation: number
  private readonly client: TunnelEnd
  private readonly peer: TunnelEnd
  private clientEnded = false
  private peerEnded = false
  private closed = 0

  constructor(x: Exchange, client: TunnelEnd, peer: TunnelEnd) {
    this.x = x
    this.generation = x.generation
    this.client = client
    this.peer = peer
  }

  onTunnelData(from: TunnelEnd, chunk: Uint8Array): void {
    const fromClient = from === this.client
    if (fromClient) this.x.requestBytes += chunk.length
    else this.x.responseBytes += chunk.length
    if (!(fromClient ? this.peer : this.client).write(chunk)) from.pause()
  }

  onTunnelMoved(from: TunnelEnd, octets: number): void {
    if (from === this.client) this.x.requestBytes += octets
    else this.x.responseBytes += octets
  }

  onTunnelDrain(from: TunnelEnd): void {
    if (from === this.client) this.peer.resume()
    else this.client.resume()
  }

  onTunnelEnd(from: TunnelEnd): void {
    if (from === this.client) {
      this.clientEnded = true
      this.peer.finish()
    } else {
      this.peerEnded = true
      this.client.finish()
    }
  }

  /** The other end follows when one has closed. */
  cut(): void {
    this.peer.abort()
  }

  onTunnelClose(from: TunnelEnd): void {
    this.closed++
    if (this.closed === 1) {
      // A clean end came on both sides: the other one closes by itself. Anything else is a cut, and a cut is passed on; it comes back here.
      if (!(this.clientEnded && this.peerEnded)) (from === this.client ? this.peer : this.client).abort()
      return
    }
    open.delete(this)
    assert(this.x.generation === this.generation, "a tunnel holds its exchange")
    resume(this.x, NEXT)
  }
}

/** Joins the two sides of an exchange whose response head has been sent. */
export function startTunnel(x: Exchange): Verdict {
  const peer = x.up!.takeTunnel()
  const client = x.down!.takeTunnel()
  x.up = null
  x.pump.upReady = false
  // The limit is one of requests; a tunnel has its own.
  if (x.pump.requestDeadline !== null) x.pump.requestDeadline.cancel()
  const tunnel = new Tunnel(x, client, peer)
  open.add(tunnel)
  joinDirectly(client.bare ?? client, peer.bare ?? peer)
  const idleMs = x.plan!.tunnelIdleMs
  client.start(tunnel, idleMs)
  peer.start(tunnel, idleMs)
  return WAIT
}

function joinDirectly(one: TunnelEnd, other: TunnelEnd): void {
  if (one.moveTo !== undefined) one.moveTo(other)
  if (other.moveTo !== undefined) other.moveTo(one)
}
