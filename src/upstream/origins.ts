// HOT
import type { Fault } from "../base/index.ts"
import type { Exchange } from "../flow/index.ts"
import type { Time } from "../http/index.ts"
import type { DialHandle, DialHandler, QuicDialHandler, UdpDialHandler, UdpTarget } from "../net/index.ts"
import type { Source, Sources } from "./dial/sources.ts"
import { OriginMemory } from "./origin-memory.ts"
import { Pool, type PoolSettings } from "./pool.ts"

/** Why a name has no address; "blocked" = it is looked up for nobody. */
export type ResolveFailure = Error & { readonly code?: string }

/** What origin look-ups need of a resolver; net's fits. */
export interface OriginResolver {
  lookup(name: string, done: (error: ResolveFailure | null, addresses: readonly { readonly address: string }[]) => void): void
  /** What HTTPS records say of `https://name:port`; absent where nobody is asked. */
  services?(name: string, port: number, done: (services: readonly OriginOffer[]) => void): void
  /** A question of any type, and the message that answers it, lent for the call; null = nobody could say. Absent where nobody is asked. */
  relay?(name: string, type: number, done: (message: Uint8Array | null) => void): void
}

/** A way to reach an origin, as its HTTPS record says (RFC 9460). */
export interface OriginOffer {
  readonly alpn: readonly string[]
  /** 0 = the origin's own. */
  readonly port: number
  /** "" = the origin's own name. */
  readonly target: string
}

/** How requests of one route leave in a better way than they came. */
export interface OriginUpgrade {
  /** http URLs are reached over TLS. */
  readonly tls: boolean
  readonly http: "auto" | "http1" | "http2" | "http3"
  /** PEM file of the authorities, null = the system's. Connections are shared by those only who believe the same. */
  readonly ca: string | null
  /** HTTP/3 is not tried with auto. Default false. */
  readonly tcpOnly?: boolean
}

/** HTTP/3 is one of the ways. */
export function triesHttp3(upgrade: OriginUpgrade | null): boolean {
  return upgrade !== null && upgrade.tcpOnly !== true && (upgrade.http === "auto" || upgrade.http === "http3")
}

/** Where and how a connection to an origin begins. */
export interface OriginDial {
  readonly address: string
  readonly port: number
  /** The name that is sent and checked; "" = no TLS. */
  readonly tlsName: string
  readonly timeoutMs: number
  readonly upgrade: OriginUpgrade | null
  /** Address of ours that it comes from. Default: the system's choice. */
  readonly source?: string | undefined
}

/** The rules about origins, given at build time. */
export interface OriginChecks {
  /** Judges what the request names, before anything is resolved. */
  target(x: Exchange): Fault | null
  /** Judges each address that is about to be dialled. */
  address(address: string, port: number): Fault | null
}

export interface OriginParts {
  readonly time: Time
  readonly resolver: OriginResolver
  readonly checks: OriginChecks
  readonly pool: PoolSettings
  readonly dialer: (dial: OriginDial, handler: DialHandler) => DialHandle
  readonly quicDialer: (dial: OriginDial, handler: QuicDialHandler) => DialHandle
  /** Addresses of ours that connections come from. Default: the system's choice. */
  readonly sources?: Sources | undefined
  /** Opens the sockets of CONNECT-UDP; absent where there is none. */
  readonly udpDialer?: ((target: UdpTarget, handler: UdpDialHandler) => DialHandle) | undefined
}

const POOLS_MAX = 4096

/** What is looked up and dialled: the host, or the address that a captured client called. */
export function dialledName(x: Exchange): string {
  return x.notes !== null && x.notes.dials !== "" ? x.notes.dials : x.host
}

/** Connections to origins of one listener, by scheme, name and port: never shared between names. */
export class Origins {
  readonly parts: OriginParts
  readonly memory: OriginMemory
  private readonly pools = new Map<string, Pool>()
  // Who asked last is likely to ask again.
  private lastScheme = ""
  private lastHost = ""
  private lastPort = -1
  private lastUpgrade: OriginUpgrade | null = null
  private lastSource: Source | null = null
  private lastPool: Pool | null = null

  constructor(parts: OriginParts) {
    this.parts = parts
    this.memory = new OriginMemory(parts.time.clock)
  }

  poolFor(x: Exchange, upgrade: OriginUpgrade | null, source: Source | null = null): Pool {
    if (x.notes !== null && x.notes.dials !== "") return this.find(x, upgrade, source)
    const known = this.lastPool !== null && x.port === this.lastPort && x.host === this.lastHost && x.scheme === this.lastScheme
    if (known && upgrade === this.lastUpgrade && source === this.lastSource) return this.lastPool!
    const pool = this.find(x, upgrade, source)
    this.lastUpgrade = upgrade
    this.lastSource = source
    this.lastScheme = x.scheme
    this.lastHost = x.host
    this.lastPort = x.port
    this.lastPool = pool
    return pool
  }

  private find(x: Exchange, upgrade: OriginUpgrade | null, source: Source | null): Pool {
    const name = dialledName(x)
    // What a client said of an address that it called holds for that address alone.
    const origin = name === x.host ? `${x.scheme}//${name}:${x.port}` : `${x.scheme}//${x.host}@${name}:${x.port}`
    const from = source === null ? "" : `${source.index} `
    const key = upgrade === null ? from + origin : `${from}${upgrade.http} ${upgrade.ca ?? ""} ${origin}`
    let pool = this.pools.get(key)
    if (pool === undefined) {
      if (this.pools.size >= POOLS_MAX) this.sweep()
      const secure = x.scheme === "https"
      const protocol = upgrade === null || !secure ? "http1" : upgrade.http
      // allow(spread): once an origin
      pool = new Pool({ ...this.parts.pool, protocol, secure }, this.parts.time, null)
      this.pools.set(key, pool)
    }
    return pool
  }

  /** Makes room: pools without connections go, and when there are none, the oldest whose connections are idle. */
  private sweep(): void {
    this.lastPool = null
    let oldest = ""
    for (const [key, pool] of this.pools) {
      if (pool.busyCount > 0) continue
      if (pool.idleCount === 0) this.pools.delete(key)
      else if (oldest === "") oldest = key
    }
    if (this.pools.size < POOLS_MAX || oldest === "") return
    this.pools.get(oldest)!.close()
    this.pools.delete(oldest)
  }

  counts(): { busy: number; idle: number } {
    let busy = 0
    let idle = 0
    for (const pool of this.pools.values()) {
      busy += pool.busyCount
      idle += pool.idleCount
    }
    return { busy, idle }
  }

  close(): void {
    for (const pool of this.pools.values()) pool.close()
  }
}
