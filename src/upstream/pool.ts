// HOT
import { assert, type Fault, FAULT } from "../base/index.ts"
import {
  ClientConnection,
  type ClientHooks,
  H2ClientConnection,
  type H2PeerTuning,
  FcgiConnection,
  type FcgiOptions,
  type KeptConnection,
  RawClientConnection,
  type SharedConnection,
  type SharedFacts,
  type Time,
  type UpstreamConnection,
} from "../http/index.ts"
import type { Wire, WireHandler } from "../net/index.ts"
import { Redial, type RedialOwner } from "./redial.ts"

export interface PoolSettings {
  /** Idle connections kept; 0 = none. */
  readonly idleMax: number
  readonly idleTimeoutMs: number
  /** Open connections, in use and idle; 0 = no limit. */
  readonly connectionsMax: number
  /** Requests on one connection; 0 = no limit. */
  readonly requestsMax: number
  readonly waitTimeoutMs: number
  readonly waitersMax: number
  /** How long a request may wait for a peer that cannot be reached, milliseconds since it began; it is tried again meanwhile. Default 0: it fails at once. */
  readonly reconnectMs?: number
  readonly headBytesMax: number
  readonly fieldsMax: number
  /** Requests at the same time on one HTTP/2 connection. */
  readonly streamsMax: number
  /** How connections of HTTP/2 are set up. */
  readonly h2?: H2PeerTuning
  /** What is spoken: `auto` leaves it to TLS (ALPN), and is HTTP/1.1 without. */
  readonly protocol: "auto" | "http1" | "http2" | "http3" | "tcp" | "udp" | "fastcgi"
  /** Where the protocol is fastcgi. */
  readonly fastcgi?: FcgiOptions | null
  /** Connections are TLS. */
  readonly secure: boolean
}

/** Somebody who wants a connection of a full pool. */
export interface PoolWaiter {
  /** Only a new connection will do. Default: any. */
  readonly fresh?: boolean
  /** A connection became free, or null: there is room to dial. Counts as taken. */
  onTurn(connection: UpstreamConnection | null): void
  /** Those who wait need another connection over QUIC, which is none of theirs: sees to it and waits on. */
  onHttp3Wanted(): void
  /** The connection that this one and others waited for to share has failed. */
  onSharedFailed(fault: Fault): void
}

/** Whose connections these are, as far as the pool tells it something. */
export interface PoolOwner {
  /** All connections are taken and the queue is full: whoever comes now is sent away. */
  saturated: boolean
}

/** The peer keeps an idle connection for so long; we let go earlier, so that the two never race (RFC 9112 section 9.3.1). */
const EARLIER_MS = 1000

/**
 * Connections to one peer or origin, in one worker. Idle ones are reused last in, first out, so that the surplus ages and goes.
 * `taken` counts connections that dial or serve; idle ones are in `idleStack`.
 */
export class Pool implements ClientHooks, RedialOwner {
  readonly time: Time
  readonly limits: ClientHooks["limits"]
  readonly settings: PoolSettings
  requestsTaken = 0
  private gaveBackAt = 0
  /** Changes when a reload hands the connections on. */
  owner: PoolOwner | null
  private readonly idleStack: ClientConnection[] = []
  /** Connections that carry many exchanges each; every one of them is taken as long as it lives. */
  private readonly shared: SharedConnection[] = []
  private readonly unknown = new Set<SharedConnection>()
  /** The next connection will be shared, as far as one knows. */
  private sharing: boolean
  /** What a new connection will take, as the last one taught. */
  private eachTakes: number
  /** On their way: dials, and shared connections whose peer has not said what it takes. */
  private arriving = 0
  private readonly waiters: PoolWaiter[] = []
  private taken = 0
  /** Connections to share that the peer has agreed to, ever. */
  sharedOpened = 0
  private readonly redial: Redial | null
  /** A connection over QUIC is on its way. */
  trying = false
  private closed = false

  constructor(settings: PoolSettings, time: Time, owner: PoolOwner | null) {
    this.settings = settings
    this.time = time
    this.owner = owner
    this.limits = settings
    this.eachTakes = settings.streamsMax
    this.redial = (settings.reconnectMs ?? 0) > 0 ? new Redial(this, time) : null
    this.sharing = settings.protocol === "http2" || settings.protocol === "http3" || (settings.protocol === "auto" && settings.secure)
  }

  get idleCount(): number {
    let count = this.idleStack.length
    for (let i = 0; i < this.shared.length; i++) if (this.shared[i]!.streamCount === 0) count++
    return count
  }

  get busyCount(): number {
    let count = this.taken
    for (let i = 0; i < this.shared.length; i++) if (this.shared[i]!.streamCount === 0) count--
    return count
  }

  /** Connections that carry many exchanges each, for status. */
  sharedFacts(): SharedFacts[] {
    const list: SharedFacts[] = []
    for (let i = 0; i < this.shared.length; i++) list.push(this.shared[i]!.facts())
    return list
  }

  /** A connection that is ready, or null. Counts as taken. */
  reuse(): UpstreamConnection | null {
    if (this.shared.length > 0) {
      const shared = this.freestShared()
      if (shared !== null) return shared
    }
    for (;;) {
      const connection = this.idleStack.pop()
      if (connection === undefined) return null
      if (!connection.usable) continue
      this.taken++
      return connection
    }
  }

  private freestShared(): SharedConnection | null {
    let best: SharedConnection | null = null
    for (let i = 0; i < this.shared.length; i++) {
      const connection = this.shared[i]!
      if (connection.usable && (best === null || isBetter(connection, best))) best = connection
    }
    return best
  }

  /** Somebody is trying HTTP/3 for this pool, or it has a connection with room. */
  get hasHttp3(): boolean {
    if (this.trying) return true
    for (let i = 0; i < this.shared.length; i++) if (this.shared[i]!.version === 30 && this.shared[i]!.usable) return true
    return false
  }

  /** Somebody dials over TCP while HTTP/3 is being tried. */
  get dialsBeside(): boolean {
    return this.trying && this.arriving > 1
  }

  /** The peer cannot be reached, and requests wait for it. */
  get isAway(): boolean {
    return this.redial !== null && this.redial.fault !== null
  }

  /** Why those who wait have waited in vain. */
  get refusal(): Fault {
    return this.redial?.fault ?? FAULT.poolExhausted
  }

  /** How long somebody may wait for a connection, whose request began then. `connectMs`: his patience with a dial. */
  patienceMs(startedAt: number, connectMs: number): number {
    const { waitTimeoutMs, reconnectMs = 0 } = this.settings
    if (this.isAway) return startedAt + reconnectMs - this.time.clock.now()
    // Somebody may be dialling for all of them, which has a time of its own.
    return this.trying ? waitTimeoutMs + connectMs : waitTimeoutMs
  }

  /** True and counted as taken when another connection may be opened. */
  mayDial(): boolean {
    if (this.redial?.pausing) return false
    if (this.sharing && this.waiters.length < this.settings.waitersMax && this.mustWait(this.waiters.length + 1)) return false
    return this.takePlace()
  }

  /** What is on its way will do, each for whoever dialled it and for others; or the peer takes nothing just now, on this connection or another. */
  private mustWait(waiting: number): boolean {
    if (waiting <= this.arriving * (this.eachTakes - 1)) return true
    for (let i = 0; i < this.shared.length; i++) if (this.shared[i]!.onHold) return true
    return false
  }

  private takePlace(): boolean {
    const max = this.settings.connectionsMax
    if (max > 0 && this.taken >= max) return false
    // An idle one gives its place up.
    if (max > 0 && this.taken + this.idleStack.length >= max) this.closeNewestIdle()
    this.taken++
    this.arriving++
    return true
  }

  /** A dialled connection stands: who speaks on it. `alpn` is what TLS agreed on. Null = not the version that is wanted; the caller closes it. */
  connected(wire: Wire, alpn: string): (UpstreamConnection & WireHandler) | null {
    const { protocol, secure } = this.settings
    if (protocol === "tcp" || protocol === "udp") {
      this.arriving--
      return new RawClientConnection(wire, this)
    }
    if (protocol === "fastcgi") {
      this.arriving--
      return new FcgiConnection(wire, this, this.settings.fastcgi!)
    }
    const http2 = alpn === "h2" || (protocol === "http2" && !secure)
    if (protocol === "http2" && !http2) {
      this.dialFailed(FAULT.protocolUnavailable)
      return null
    }
    this.sharing = http2
    if (!http2) {
      this.redial?.reached()
      this.arriving--
      const kept = new ClientConnection(wire, this, this)
      wire.data = kept
      // Those who waited for a connection to share must each have their own.
      this.dialAgain()
      return kept
    }
    const connection = new H2ClientConnection(wire, this, secure)
    wire.data = connection
    this.shared.push(connection)
    this.unknown.add(connection)
    return connection
  }

  /** The same, also where one waits for what is on its way: over another protocol it may be there before. */
  mayDialBeside(): boolean {
    return this.takePlace()
  }

  /** A connection over QUIC stands, for which a place was taken. */
  joined(connection: SharedConnection): void {
    this.arriving--
    this.sharedOpened++
    assert(this.arriving >= 0, "what joins was on its way")
    this.sharing = true
    this.redial?.reached()
    this.eachTakes = connection.streamsMax
    this.shared.push(connection)
    this.room(connection)
  }

  dialAgain(): void {
    if (this.redial?.pausing) return
    if (this.settings.protocol === "http3") {
      if (this.waiters.length > 0 && !this.trying) this.waiters[0]!.onHttp3Wanted()
      return
    }
    while (this.waiters.length > 0 && !(this.sharing && this.mustWait(this.waiters.length)) && this.takePlace()) this.nextWaiter().onTurn(null)
  }

  /** Once may be a restart, twice the same is a limit (nginx: keepalive_requests). */
  gaveBack(taken: number): void {
    if (taken === this.gaveBackAt) this.requestsTaken = taken
    this.gaveBackAt = taken
  }

  changed(connection: SharedConnection): void {
    if (this.unknown.delete(connection)) {
      this.arriving--
      this.sharedOpened++
      assert(this.arriving >= 0, "what has arrived was on its way")
    }
    if (connection.known) {
      this.redial?.reached()
      this.eachTakes = connection.streamsMax
    }
    this.room(connection)
  }

  room(connection: SharedConnection): void {
    while (this.waiters.length > 0 && connection.usable) this.nextWaiter().onTurn(connection)
    if (this.waiters.length > 0) this.dialAgain()
    else if (this.closed) connection.retire()
  }

  private closeNewestIdle(): void {
    const connection = this.idleStack.pop()!
    // `gone` takes off what is neither idle nor known otherwise.
    this.taken++
    connection.close()
  }

  /** A dial that `mayDial` allowed has failed, or was given up (null). */
  dialFailed(fault: Fault | null): void {
    this.arriving--
    assert(this.arriving >= 0, "what failed was on its way")
    // Those who wait for it would meet the same, unless time mends it.
    const mends = fault !== null && this.redial?.failed(fault) === true
    if (fault !== null && !mends && this.sharing && this.arriving === 0) this.failWaiters(fault)
    this.release()
  }

  private failWaiters(fault: Fault): void {
    // Not those that join while these are told.
    for (let left = this.waiters.length; left > 0 && this.waiters.length > 0; left--) this.nextWaiter().onSharedFailed(fault)
  }

  /** Joins the queue; false when it is full. */
  wait(waiter: PoolWaiter): boolean {
    if (this.waiters.length >= this.settings.waitersMax) return false
    this.waiters.push(waiter)
    this.tellOwner()
    return true
  }

  forget(waiter: PoolWaiter): void {
    const at = this.waiters.indexOf(waiter)
    if (at >= 0) this.waiters.splice(at, 1)
    this.tellOwner()
  }

  private tellOwner(): void {
    if (this.owner !== null) this.owner.saturated = this.waiters.length > 0 && this.waiters.length >= this.settings.waitersMax
  }

  private nextWaiter(): PoolWaiter {
    const waiter = this.waiters.shift()!
    this.tellOwner()
    return waiter
  }

  private release(): void {
    assert(this.taken > 0, "what is released was taken")
    this.taken--
    this.dialAgain()
  }

  idle(connection: KeptConnection, limitMs: number): void {
    const { idleMax, requestsMax, idleTimeoutMs } = this.settings
    if (this.waiters.length > 0 && (requestsMax === 0 || connection.served < requestsMax)) {
      this.passOn(connection)
      return
    }
    if (this.closed || this.idleStack.length >= idleMax || (requestsMax > 0 && connection.served >= requestsMax)) {
      connection.close()
      return
    }
    this.taken--
    this.idleStack.push(connection as ClientConnection)
    connection.keepFor(limitMs === 0 ? idleTimeoutMs : Math.min(idleTimeoutMs, limitMs > EARLIER_MS * 2 ? limitMs - EARLIER_MS : limitMs / 2))
  }

  /** To the next in the queue: the connection, or its place when that one wants a new connection. */
  private passOn(connection: UpstreamConnection): void {
    const waiter = this.nextWaiter()
    if (waiter.fresh !== true) {
      waiter.onTurn(connection)
      return
    }
    // `gone` takes off one, which is not to be anybody else's.
    this.taken++
    connection.close()
    this.arriving++
    waiter.onTurn(null)
  }

  gone(connection: UpstreamConnection): void {
    const shared = this.shared.indexOf(connection as SharedConnection)
    if (shared >= 0) {
      this.shared.splice(shared, 1)
      if (this.unknown.delete(connection as SharedConnection)) {
        // Who has not said a word is no better than one that refused.
        this.dialFailed((connection as SharedConnection).failure ?? FAULT.connectFailed)
        return
      }
    }
    const at = this.idleStack.lastIndexOf(connection as ClientConnection)
    if (at >= 0) this.idleStack.splice(at, 1)
    else this.release()
  }

  /** Closes idle connections now and the others after their exchange. */
  close(): void {
    this.closed = true
    while (this.idleStack.length > 0) this.closeNewestIdle()
    for (let i = this.shared.length - 1; i >= 0; i--) this.shared[i]!.retire()
    this.dialAgain()
  }
}

/** The newer version of HTTP, and of one version the connection with less to do. */
function isBetter(one: SharedConnection, other: SharedConnection): boolean {
  return one.version === other.version ? one.streamCount < other.streamCount : one.version > other.version
}
