// HOT
import { assert, type Fault, FAULT, Timer, type TimerOwner } from "../base/index.ts"
import { armContinue, type Exchange, fail, FAULT_VERDICT, feedUp, NEXT, resume, type Verdict, WAIT, type Waiter } from "../flow/index.ts"
import { BODY_TUNNEL, CONNECT_UDP, NAME, reasonOf, type Upstream, type UpstreamConnection, WireTunnel } from "../http/index.ts"
import type { DialFailure, DialHandle, DialHandler, Wire, WireHandler } from "../net/index.ts"
import { type Source, sourceTo } from "./dial/sources.ts"
import { allowedUpgrades, type AttemptRules, dialFault, mayAskOrigin, requestTarget, tellTlsFailure, tlsFault } from "./attempt-rules.ts"
import { DialRace, type RaceSource } from "./dial-race.ts"
import { askServices, joinHttp3, originKey, refuseHttp3 } from "./join-http3.ts"
import { dialledName, type OriginDial, type Origins, type OriginUpgrade, type ResolveFailure, triesHttp3 } from "./origins.ts"
import type { Pool, PoolWaiter } from "./pool.ts"
import { UdpJoin, type UdpWaiter } from "./udp-join.ts"

/** Addresses of one name that an attempt tries, each for the connect timeout. */
const ADDRESSES_TRIED_MAX = 8
/** HTTP/3 has so long before TCP is tried beside it: what gets through, as a rule, is there by then (RFC 8305 section 5). */
const RACE_MS = 250

/** The attempts of one forward exchange at the origin that it names. */
export class OriginAttempt implements RaceSource, UdpWaiter, Waiter, PoolWaiter, TimerOwner {
  private readonly x: Exchange
  private origins: Origins | null = null
  private rules: AttemptRules | null = null
  private pool: Pool | null = null
  private addresses: readonly { readonly address: string }[] = []
  private next = 0
  private tried = 0
  private dialing: DialHandle | null = null
  /** What was dialled last, as `address:port`, and why an address was not. */
  dialled = ""
  private closedBy: Fault | null = null
  fresh = false
  /** A kept-alive connection that `resolve` found. */
  private ready: UpstreamConnection | null = null
  private lastFault: Fault = FAULT.resolveFailed
  private upgrade: OriginUpgrade | null = null
  /** The addresses of ours that it leaves from; null = the system's choice. */
  private source: Source | null = null
  /** In the pool's queue: for a connection that others have dialled, or for HTTP/3 to win. */
  private queued = false
  private racing = false
  private waitsUntil = 0
  /** A tunnel of datagrams is asked for (RFC 9298). */
  private udp = false
  private timer: Timer | null = null

  constructor(x: Exchange) {
    this.x = x
  }

  begin(origins: Origins, rules: AttemptRules, upgrade: OriginUpgrade | null): void {
    this.origins = origins
    this.upgrade = upgrade
    const x = this.x
    this.source = origins.parts.sources === undefined ? null : origins.parts.sources.next(x)
    this.udp = x.upgrade === CONNECT_UDP && x.method !== "CONNECT"
    if (upgrade?.tls && x.scheme === "http" && x.method !== "CONNECT" && !this.udp) {
      x.scheme = "https"
      if (x.port === 80) x.port = 443
    }
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
    const closed = this.udp && (origins.parts.udpDialer === undefined || !this.rules!.upgrades.has(CONNECT_UDP))
    const fault = closed ? FAULT.forbidden : origins.parts.checks.target(x)
    if (fault !== null) {
      x.fault = fault
      return FAULT_VERDICT
    }
    this.pool = x.method === "CONNECT" || this.udp ? null : origins.poolFor(x, this.upgrade, this.source)
    if (this.pool !== null && !this.fresh) {
      this.ready = this.pool.reuse()
      if (this.ready !== null) {
        if (this.http3Port() > 0 && !this.pool.hasHttp3) this.tryHttp3Later()
        return NEXT
      }
    }
    return this.lookup(false)
  }

  /** `dials`: the connection that the attempt was to use is gone, so that it goes on at once with a new one. */
  private lookup(dials: boolean): Verdict {
    const x = this.x
    const generation = x.generation
    let waits = false
    let verdict: Verdict = WAIT
    if (x.scheme === "https" && this.source === null) askServices(x, this.origins!, this.upgrade)
    // allow(closure): one a look-up; the answer may come long after this exchange is gone
    this.origins!.parts.resolver.lookup(dialledName(x), (error, addresses) => {
      if (x.generation !== generation) return
      verdict = this.resolved(error, addresses)
      if (dials && verdict === NEXT) verdict = this.connect()
      if (waits && verdict !== WAIT) resume(x, verdict)
    })
    waits = true
    return verdict
  }

  private resolved(error: ResolveFailure | null, found: readonly { readonly address: string }[]): Verdict {
    if (error !== null || found.length === 0) {
      this.x.fault = error?.code === "blocked" ? FAULT.nameBlocked : FAULT.resolveFailed
      return FAULT_VERDICT
    }
    this.addresses = found
    this.next = this.tried = 0
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
    const { pool } = this
    if (pool === null) return this.dial()
    if (this.http3Port() > 0 && !pool.hasHttp3 && this.tryHttp3(this.addresses)) return this.wait(true)
    if (pool.settings.protocol === "http3") return pool.hasHttp3 ? this.wait(false) : refuseHttp3(x, this.origins!, this.addresses)
    if (pool.mayDial()) return this.dial()
    if (pool.settings.protocol !== "http1") return this.wait(pool.trying)
    x.fault = FAULT.poolExhausted
    return FAULT_VERDICT
  }

  /** Waits in the pool's queue; `races`: only for a moment, then over TCP. */
  private wait(races: boolean): Verdict {
    const { x, pool } = this
    this.queued = pool!.wait(this)
    if (!this.queued) {
      x.fault = FAULT.poolExhausted
      return FAULT_VERDICT
    }
    this.racing = races && pool!.settings.protocol !== "http3"
    x.waiter = this
    if (this.timer === null) this.timer = new Timer(this)
    const { time } = this.origins!.parts
    const now = time.clock.now()
    // Somebody may be dialling for all of them, which has a time of its own.
    this.waitsUntil = now + pool!.settings.waitTimeoutMs + (pool!.trying ? this.rules!.connectMs : 0)
    time.wheel.schedule(this.timer, this.racing ? now + RACE_MS : this.waitsUntil)
    return WAIT
  }

  onTimer(): void {
    const pool = this.pool!
    const { time } = this.origins!.parts
    const now = time.clock.now()
    // Another one's connection over TCP will do for all who wait, as a rule.
    if (this.racing && pool.dialsBeside && now < this.waitsUntil) {
      time.wheel.schedule(this.timer!, now + RACE_MS)
      return
    }
    this.leaveQueue()
    this.x.waiter = null
    if (this.racing && pool.mayDialBeside()) {
      if (this.dial() === FAULT_VERDICT) fail(this.x, this.x.fault!)
    } else fail(this.x, FAULT.poolExhausted)
  }

  private leaveQueue(): void {
    if (!this.queued) return
    this.queued = false
    this.pool!.forget(this)
    this.origins!.parts.time.wheel.cancel(this.timer!)
  }

  onTurn(connection: UpstreamConnection | null): void {
    this.queued = false
    this.origins!.parts.time.wheel.cancel(this.timer!)
    const x = this.x
    x.waiter = null
    if (connection !== null) {
      this.send(connection)
      return
    }
    if (this.dial() === FAULT_VERDICT) fail(x, x.fault!)
  }

  onHttp3Wanted(): void {
    this.tryHttp3(this.addresses)
  }

  onSharedFailed(fault: Fault): void {
    this.queued = false
    this.origins!.parts.time.wheel.cancel(this.timer!)
    this.x.waiter = null
    fail(this.x, fault)
  }

  // ---- HTTP/3

  /** UDP port at which HTTP/3 is to be tried; 0 = it is not. */
  private http3Port(): number {
    const { x, pool, upgrade } = this
    if (pool === null || x.scheme !== "https" || !triesHttp3(upgrade)) return 0
    const known = this.origins!.memory.http3Port(originKey(x))
    return known > 0 || upgrade!.http === "auto" ? known : x.port
  }

  /** The connection that is there serves this request; one over QUIC will serve the next. */
  private tryHttp3Later(): void {
    const { x, pool, origins } = this
    const key = originKey(x)
    const dial = this.http3Dial()
    // allow(closure): once in a while for an origin
    origins!.parts.resolver.lookup(dialledName(x), (error, addresses) => {
      if (error === null) joinHttp3(origins!, pool!, key, dial, addresses)
    })
  }

  private tryHttp3(addresses: readonly { readonly address: string }[]): boolean {
    return joinHttp3(this.origins!, this.pool!, originKey(this.x), this.http3Dial(), addresses)
  }

  /** Without the address, which is chosen when the name's are known. */
  private http3Dial(): Omit<OriginDial, "address"> {
    return { port: this.http3Port(), tlsName: this.x.host, timeoutMs: this.rules!.connectMs, upgrade: this.upgrade }
  }

  /** The answer's head is here: what it says of better ways. They are for us: the client has its own. */
  learn(): void {
    const x = this.x
    const { upgrade } = this
    if (upgrade === null || !x.response.has(NAME.altSvc)) return
    if (x.scheme === "https" && upgrade.http === "auto") this.origins!.memory.altSvc(originKey(x), x.response.joined(NAME.altSvc))
    x.response.remove(NAME.altSvc)
  }

  /** Dials the addresses that the rules let through, the next when one fails or takes long. */
  private dial(): Verdict {
    const { x } = this
    this.closedBy = null
    const race = new DialRace(this, this.origins!.parts.time)
    if (race.begin()) {
      this.dialing = race
      x.waiter = this
      return WAIT
    }
    if (this.pool !== null) this.pool.dialFailed(null)
    x.fault = this.closedBy ?? this.lastFault
    return FAULT_VERDICT
  }

  get hasNext(): boolean {
    return this.next < this.addresses.length && this.tried < ADDRESSES_TRIED_MAX
  }

  /** Each address is judged now, whatever was said a moment ago (DNS rebinding). */
  dialNext(handler: DialHandler): DialHandle | null {
    const { x } = this
    const { parts } = this.origins!
    while (this.hasNext) {
      const address = this.addresses[this.next++]!.address
      const source = this.source === null ? "" : sourceTo(this.source, address)
      const fault = parts.checks.address(address, x.port) ?? (this.source !== null && source === "" ? FAULT.exitFamily : null)
      if (fault !== null) {
        this.closedBy = fault
        continue
      }
      this.dialled = address.includes(":") ? `[${address}]:${x.port}` : `${address}:${x.port}`
      this.tried++
      if (this.udp) return parts.udpDialer!({ host: address, port: x.port }, new UdpJoin(this))
      const tlsName = x.scheme === "https" && x.method !== "CONNECT" ? x.host : ""
      return parts.dialer({ address, port: x.port, tlsName, timeoutMs: this.rules!.connectMs, upgrade: this.upgrade, source }, handler)
    }
    return null
  }

  raceWon(dialled: string, wire: Wire, alpn: string): WireHandler | null {
    const x = this.x
    x.peerName = dialled
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

  laneFailed(dialled: string, kind: DialFailure, detail: string): void {
    const { x } = this
    x.peerName = dialled
    if (kind === "tls") tellTlsFailure(x.host, dialled, detail)
    this.lastFault = kind === "tls" ? tlsFault(detail) : dialFault(kind)
  }

  raceLost(): void {
    const x = this.x
    this.dialing = null
    x.waiter = null
    if (this.pool !== null) this.pool.dialFailed(null)
    fail(x, this.closedBy ?? this.lastFault)
  }

  private openTunnel(wire: Wire): WireHandler {
    this.answerTunnel(new WireTunnel(wire, this.origins!.parts.time), 200, "Connection established")
    return wire.data
  }

  private answerTunnel(end: Upstream, status: number, reason: string): void {
    const x = this.x
    x.up = end
    x.status = status
    x.reason = reason
    x.response.reset("")
    if (this.udp) x.response.append("Capsule-Protocol", "?1")
    x.responseBody = BODY_TUNNEL
    x.onResponseHead()
  }

  tunnelStands(end: Upstream): void {
    const x = this.x
    x.peerName = this.dialled
    this.dialing = null
    x.waiter = null
    x.connectedAt = this.origins!.parts.time.clock.now()
    this.answerTunnel(end, 101, reasonOf(101))
  }

  /** A UDP socket could not be had. */
  onFailed(kind: DialFailure, detail: string): void {
    this.laneFailed(this.dialled, kind, detail)
    this.dialing = null
    this.x.waiter = null
    if (this.dial() === FAULT_VERDICT) fail(this.x, this.x.fault!)
  }

  private send(connection: UpstreamConnection): void {
    const x = this.x
    const rules = this.rules!
    x.reused = connection.served > 0
    const { time } = this.origins!.parts
    x.sentAt = time.clock.now()
    if (x.upgrade !== "") x.upgrade = allowedUpgrades(x.upgrade, rules.upgrades)
    const { generation } = x
    connection.send(x, requestTarget(x, false), rules.times)
    // What the connection cannot carry at all has failed already.
    if (x.generation !== generation) return
    if (x.expectContinue) armContinue(x, time)
    feedUp(x)
  }

  cancel(_x: Exchange): void {
    this.leaveQueue()
    if (this.dialing === null) return
    this.dialing.cancel()
    this.dialing = null
    if (this.pool !== null) this.pool.dialFailed(null)
  }

  retry(): boolean {
    if (this.rules === null) return false
    const x = this.x
    if (x.method === "CONNECT" || this.udp || !mayAskOrigin(x, this.rules)) return false
    // Over a connection of its own this time; the addresses start again.
    this.fresh = true
    this.addresses = []
    return true
  }

  end(): void {
    assert(this.dialing === null, "nothing is under way at the end")
    if (this.ready !== null) this.ready.close()
    this.ready = null
    this.leaveQueue()
    this.origins = null
    this.rules = null
    this.pool = null
    this.upgrade = null
    this.source = null
    this.addresses = []
  }
}
