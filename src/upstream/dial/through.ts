import { log } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import type { DialHandle, DialHandler } from "../../net/index.ts"
import { CONNECT_UDP, type Time } from "../../http/index.ts"
import type { Attempt } from "../attempt.ts"
import type { Dialer } from "../cluster.ts"
import type { OriginUpgrade } from "../origins.ts"
import type { Peer } from "../peer.ts"
import { Pool, type PoolSettings } from "../pool.ts"

export interface ThroughParts {
  readonly cluster: string
  readonly time: Time
  readonly pool: PoolSettings
  /** All requests go through connections to their origins: the parents speak no HTTP. Else those alone that are to reach it over TLS. */
  readonly all: boolean
  /** Opens a connection to the origin of the exchange through a peer, TLS with the origin included. */
  readonly dialer: Dialer
}

const POOLS_MAX = 4096

/** What the exchange's route says of its way to origins. */
export function upgradeOf(x: Exchange): OriginUpgrade | null {
  return (x.attempt as Attempt | null)?.rules?.upgrade ?? null
}

/** Connections to origins through the parents of one cluster. Never shared between parents, nor between origins. */
export class Through {
  private readonly parts: ThroughParts
  private readonly pools = new Map<Peer, Map<string, Pool>>()
  private count = 0

  constructor(parts: ThroughParts) {
    this.parts = parts
  }

  /** This request's connection ends at its origin and not at the parent. */
  serves(x: Exchange): boolean {
    // A tunnel of datagrams is asked for at the parent (RFC 9298).
    return this.parts.all || (x.scheme === "https" && x.method !== "CONNECT" && x.upgrade !== CONNECT_UDP)
  }

  poolOf(peer: Peer, x: Exchange): Pool {
    let ofPeer = this.pools.get(peer)
    if (ofPeer === undefined) {
      ofPeer = new Map()
      this.pools.set(peer, ofPeer)
    }
    const tunnel = x.method === "CONNECT"
    const upgrade = upgradeOf(x)
    // Listeners may differ in whom they believe.
    const way = `${x.listener?.name ?? ""} ${upgrade === null ? "" : `${upgrade.http} ${upgrade.ca ?? ""}`} `
    const key = tunnel ? "tunnel" : `${way}${x.scheme}://${x.host}:${x.port}`
    let pool = ofPeer.get(key)
    if (pool === undefined) {
      if (this.count >= POOLS_MAX) this.sweep()
      const secure = x.scheme === "https" && !tunnel
      const protocol = tunnel ? "tcp" : secure && upgrade !== null ? upgrade.http : "http1"
      pool = new Pool({ ...this.parts.pool, reconnectMs: 0, protocol, secure }, this.parts.time, null)
      ofPeer.set(key, pool)
      this.count++
    }
    return pool
  }

  /** Makes room: pools without connections go, and when there are none, those whose connections are idle. */
  private sweep(): void {
    for (const closes of [false, true]) {
      for (const [, ofPeer] of this.pools)
        for (const [key, pool] of ofPeer) {
          if (pool.busyCount > 0 || (!closes && pool.idleCount > 0)) continue
          pool.close()
          ofPeer.delete(key)
          this.count--
        }
      if (this.count < POOLS_MAX) return
    }
  }

  dial(peer: Peer, timeoutMs: number, handler: DialHandler, x: Exchange): DialHandle {
    const { cluster, dialer } = this.parts
    return dialer(
      peer,
      timeoutMs,
      {
        onOpen: (wire, alpn) => handler.onOpen(wire, alpn),
        onFailed(kind, detail) {
          // The operator learns why; where to is the client's affair.
          if (kind === "denied" || kind === "login" || kind === "garbled")
            log.info("upstream", "a parent opened no way", { cluster, peer: peer.name, reason: detail })
          handler.onFailed(kind, detail)
        },
      },
      x,
    )
  }

  retire(peer: Peer): void {
    const ofPeer = this.pools.get(peer)
    if (ofPeer === undefined) return
    this.pools.delete(peer)
    this.count -= ofPeer.size
    for (const pool of ofPeer.values()) pool.close()
  }

  /** Takes over what leads through a peer that is still here. */
  adopt(former: Through, old: Peer, peer: Peer): void {
    const ofPeer = former.pools.get(old)
    if (ofPeer === undefined || this.pools.has(peer)) return
    former.pools.delete(old)
    this.pools.set(peer, ofPeer)
    this.count += ofPeer.size
  }

  close(): void {
    for (const peer of [...this.pools.keys()]) this.retire(peer)
  }

  get busyCount(): number {
    return this.sum(pool => pool.busyCount)
  }

  get idleCount(): number {
    return this.sum(pool => pool.idleCount)
  }

  private sum(of: (pool: Pool) => number): number {
    let sum = 0
    for (const ofPeer of this.pools.values()) for (const pool of ofPeer.values()) sum += of(pool)
    return sum
  }
}
