// HOT
import { assert, type Fault, FAULT } from "../base/index.ts"
import { armContinue, type Exchange, fail, FAULT_VERDICT, feedUp, NEXT, resume, type Step, type Verdict, WAIT, type Waiter } from "../flow/index.ts"
import { BODY_TUNNEL, type Time, type UpstreamConnection, WireTunnel } from "../http/index.ts"
import type { DialFailure, DialHandle, DialHandler, Wire, WireHandler } from "../net/index.ts"
import { allowedUpgrades, type AttemptRules, dialFault, isIdempotent, requestTarget, tellTlsFailure } from "./attempt-rules.ts"
import type { ClusterSteps } from "./steps.ts"
import { Pool, type PoolSettings } from "./pool.ts"

/** What origin look-ups need of a resolver; net's fits. */
export interface OriginResolver {
  lookup(name: string, done: (error: Error | null, addresses: readonly { readonly address: string }[]) => void): void
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
  /** Opens a connection; `tlsName` is "" for plain ones. */
  readonly dialer: (address: string, port: number, tlsName: string, timeoutMs: number, handler: DialHandler) => DialHandle
}

const POOLS_MAX = 4096
/** Addresses of one name that an attempt tries, each for the connect timeout. */
const ADDRESSES_TRIED_MAX = 8

/** Connections to origins of one listener, by scheme, name and port: never shared between names. */
export class Origins {
  readonly parts: OriginParts
  private readonly pools = new Map<string, Pool>()
  // Who asked last is likely to ask again.
  private lastScheme = ""
  private lastHost = ""
  private lastPort = -1
  private lastPool: Pool | null = null

  constructor(parts: OriginParts) {
    this.parts = parts
  }

  poolFor(x: Exchange): Pool {
    if (this.lastPool !== null && x.port === this.lastPort && x.host === this.lastHost && x.scheme === this.lastScheme) return this.lastPool
    const pool = this.find(x)
    this.lastScheme = x.scheme
    this.lastHost = x.host
    this.lastPort = x.port
    this.lastPool = pool
    return pool
  }

  private find(x: Exchange): Pool {
    const key = `${x.scheme}//${x.host}:${x.port}`
    let pool = this.pools.get(key)
    if (pool === undefined) {
      if (this.pools.size >= POOLS_MAX) this.sweep()
      pool = new Pool(this.parts.pool, this.parts.time, null)
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

/** The attempts of one forward exchange at the origin that it names. */
export class OriginAttempt implements DialHandler, Waiter {
  private readonly x: Exchange
  private origins: Origins | null = null
  private rules: AttemptRules | null = null
  private pool: Pool | null = null
  private addresses: readonly { readonly address: string }[] = []
  private next = 0
  private tried = 0
  private dialing: DialHandle | null = null
  private fresh = false
  /** A kept-alive connection that `resolve` found. */
  private ready: UpstreamConnection | null = null
  private lastFault: Fault = FAULT.resolveFailed

  constructor(x: Exchange) {
    this.x = x
  }

  begin(origins: Origins, rules: AttemptRules): void {
    this.origins = origins
    this.rules = rules
    this.addresses = []
    this.next = 0
    this.fresh = false
    this.x.pump.keepBytesMax = rules.keepBytesMax
  }

  /**
   * Checks what is named. A kept-alive connection to it may be used as it is: its address was judged when it was dialled. Otherwise finds the
   * addresses of the name.
   */
  resolve(): Verdict {
    const x = this.x
    const origins = this.origins!
    if (this.addresses.length > 0) return NEXT
    const fault = origins.parts.checks.target(x)
    if (fault !== null) {
      x.fault = fault
      return FAULT_VERDICT
    }
    this.pool = x.method === "CONNECT" ? null : origins.poolFor(x)
    if (this.pool !== null && !this.fresh) {
      this.ready = this.pool.reuse()
      if (this.ready !== null) return NEXT
    }
    return this.lookup(false)
  }

  /** `dials`: the connection that the attempt was to use is gone, so that it goes on at once with a new one. */
  private lookup(dials: boolean): Verdict {
    const x = this.x
    const generation = x.generation
    let waits = false
    let verdict: Verdict = WAIT
    // allow(closure): one a look-up; the answer may come long after this exchange is gone
    this.origins!.parts.resolver.lookup(x.host, (error, addresses) => {
      if (x.generation !== generation) return
      verdict = this.resolved(error, addresses)
      if (dials && verdict === NEXT) verdict = this.connect()
      if (waits && verdict !== WAIT) resume(x, verdict)
    })
    waits = true
    return verdict
  }

  private resolved(error: Error | null, found: readonly { readonly address: string }[]): Verdict {
    const x = this.x
    if (error !== null || found.length === 0) {
      x.fault = FAULT.resolveFailed
      return FAULT_VERDICT
    }
    this.addresses = found
    this.next = 0
    this.tried = 0
    return NEXT
  }

  forward(): Verdict {
    const x = this.x
    x.attempts++
    const connection = this.ready
    this.ready = null
    if (connection === null) return this.connect()
    // Filters may have taken their time, and the origin its connection.
    if (!connection.usable) return this.lookup(true)
    this.send(connection)
    return WAIT
  }

  private connect(): Verdict {
    const x = this.x
    if (this.pool !== null && !this.pool.mayDial()) {
      x.fault = FAULT.poolExhausted
      return FAULT_VERDICT
    }
    return this.dial()
  }

  /** Dials the next address that the rules let through. Each is judged now, whatever was said a moment ago (DNS rebinding). */
  private dial(): Verdict {
    const x = this.x
    const { parts } = this.origins!
    let refused: Fault | null = null
    while (this.next < this.addresses.length && this.tried < ADDRESSES_TRIED_MAX) {
      const address = this.addresses[this.next++]!.address
      const fault = parts.checks.address(address, x.port)
      if (fault !== null) {
        refused = fault
        continue
      }
      x.peerName = address.includes(":") ? `[${address}]:${x.port}` : `${address}:${x.port}`
      this.tried++
      x.waiter = this
      const tlsName = x.scheme === "https" && x.method !== "CONNECT" ? x.host : ""
      this.dialing = parts.dialer(address, x.port, tlsName, this.rules!.connectMs, this)
      return WAIT
    }
    if (this.pool !== null) this.pool.dialFailed(null)
    x.fault = refused ?? this.lastFault
    return FAULT_VERDICT
  }

  onOpen(wire: Wire, alpn: string): WireHandler | null {
    const x = this.x
    this.dialing = null
    x.waiter = null
    const { clock } = this.origins!.parts.time
    clock.tick()
    x.connectedAt = clock.now()
    if (x.method === "CONNECT") return this.openTunnel(wire)
    const connection = this.pool!.connected(wire, alpn)
    if (connection === null) {
      fail(x, FAULT.protocolUnavailable)
      return null
    }
    this.send(connection)
    return connection
  }

  private openTunnel(wire: Wire): WireHandler {
    const x = this.x
    const end = new WireTunnel(wire, this.origins!.parts.time)
    x.up = end
    x.status = 200
    x.reason = "Connection established"
    x.response.reset("")
    x.responseBody = BODY_TUNNEL
    x.onResponseHead()
    return wire.data
  }

  onFailed(kind: DialFailure, detail: string): void {
    const x = this.x
    if (kind === "tls") tellTlsFailure(x.host, x.peerName, detail)
    this.dialing = null
    x.waiter = null
    this.lastFault = dialFault(kind)
    const verdict = this.dial()
    if (verdict === FAULT_VERDICT) fail(x, x.fault!)
  }

  private send(connection: UpstreamConnection): void {
    const x = this.x
    const rules = this.rules!
    x.reused = connection.served > 0
    const { time } = this.origins!.parts
    x.sentAt = time.clock.now()
    if (x.upgrade !== "") x.upgrade = allowedUpgrades(x.upgrade, rules.upgrades)
    connection.send(x, requestTarget(x, false), rules.times)
    if (x.expectContinue) armContinue(x, time)
    feedUp(x)
  }

  cancel(_x: Exchange): void {
    if (this.dialing === null) return
    this.dialing.cancel()
    this.dialing = null
    if (this.pool !== null) this.pool.dialFailed(null)
  }

  retry(): boolean {
    const x = this.x
    const fault = x.fault!
    if (x.method === "CONNECT" || fault.retry === "never" || fault.retry === "always") return false
    if (!x.pump.replayable || x.pump.continued || !isIdempotent(x.method) || x.attempts >= this.rules!.attemptsMax) return false
    // Over a connection of its own this time; the addresses start again.
    this.fresh = true
    this.addresses = []
    return true
  }

  end(): void {
    assert(this.dialing === null, "nothing is under way at the end")
    if (this.ready !== null) this.ready.close()
    this.ready = null
    this.origins = null
    this.rules = null
    this.pool = null
    this.addresses = []
  }
}

/** The steps of a route to the origin that the request names. */
// allow(closure): made once for each route
export function originSteps(origins: Origins, rules: AttemptRules): ClusterSteps {
  function attemptOf(x: Exchange): OriginAttempt {
    if (!(x.attempt instanceof OriginAttempt)) x.attempt = new OriginAttempt(x)
    return x.attempt as OriginAttempt
  }
  const finish: Step = x => {
    if (x.attempt instanceof OriginAttempt) x.attempt.end()
    return NEXT
  }
  return {
    peer(x: Exchange): Verdict {
      if (!x.forwardForm) {
        x.fault = FAULT.notForward
        return FAULT_VERDICT
      }
      const attempt = attemptOf(x)
      if (x.attempts === 0) attempt.begin(origins, rules)
      return attempt.resolve()
    },
    forward: x => attemptOf(x).forward(),
    judge: () => NEXT,
    finish,
    retry: x => attemptOf(x).retry(),
  }
}
