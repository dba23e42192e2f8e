// HOT
import { assert, type Fault, FAULT, hashString, log } from "../base/index.ts"
import type { Exchange } from "../flow/index.ts"
import type { SharedFacts, Time } from "../http/index.ts"
import type { DialHandle, DialHandler, QuicDialHandler } from "../net/index.ts"
import type { Balancer, BalancerKey } from "../plugin/index.ts"
import type { AttemptMeter } from "./attempt-meter.ts"
import { requestTarget } from "./attempt-rules.ts"
import type { Attempt } from "./attempt.ts"
import type { Through } from "./dial/through.ts"
import type { Guard } from "./guard/guard.ts"
import { type Outcome, OUTCOME, outcomeOf } from "./outcome.ts"
import type { Peer } from "./peer.ts"
import { Pool, type PoolSettings } from "./pool.ts"
import { QuicJoin } from "./quic-join.ts"
import type { SlowStart } from "./slow-start/slow-start.ts"
import { plainHash, type Sticky } from "./sticky/sticky.ts"
import { type Tried, TriedTail } from "./tried.ts"

/** Opens a connection to a peer. Given at build time: direct, TLS, through a parent … */
export type Dialer = (peer: Peer, timeoutMs: number, handler: DialHandler, x: Exchange) => DialHandle

/** The same over QUIC. */
export type ClusterQuicDialer = (peer: Peer, timeoutMs: number, handler: QuicDialHandler) => DialHandle

export interface Budget {
  onRequest(): void
  /** True and spent when a retry is allowed now. */
  tryRetry(): boolean
}

export interface ClusterParts {
  readonly name: string
  /** New instances, one for the primaries and one for the backups. */
  readonly makeBalancer: () => Balancer
  readonly key: BalancerKey | null
  readonly allDown: "try" | "fail"
  readonly pool: PoolSettings
  readonly time: Time
  readonly dialer: Dialer
  /** Present where HTTP/3 is spoken. */
  readonly quicDialer?: ClusterQuicDialer | null
  readonly budget: Budget
  /** Counts attempts for the metrics. Default: nobody does. */
  readonly meter?: AttemptMeter | null
  /** Reports an attempt's outcome to passive health checking. */
  readonly judge: (cluster: Cluster, peer: Peer, outcome: Outcome) => void
  /** Breakers, limits, queue and what else protects the cluster. Default: nothing. */
  readonly guard?: Guard | null
  /** Asks the control thread to resolve the names again; null when the config has addresses only. */
  readonly refresh: ((cluster: string) => void) | null
  /** Default: every request is chosen for anew. */
  readonly sticky?: Sticky | null
  /** Default: a peer has its full weight at once. */
  readonly slowStart?: SlowStart | null
}

export interface SharedCounts {
  readonly connections: readonly SharedFacts[]
  /** How many there have been. */
  readonly opened: number
  /** Why a peer that is waited for cannot be reached; "" = none is. */
  readonly away: string
}

/** A named group of peers in one worker: who is in it, who is next, and the connections to each. */
export class Cluster {
  readonly name: string
  readonly time: Time
  readonly budget: Budget
  readonly meter: AttemptMeter | null
  readonly guard: Guard | null
  /** Some peers are given by name. */
  private readonly named: boolean
  peers: Peer[] = []
  private primaries: Peer[] = []
  private backups: Peer[] = []
  private readonly balancer: Balancer
  private readonly backupBalancer: Balancer
  private readonly pools = new Map<Peer, Pool>()
  private readonly parts: ClusterParts
  readonly sticky: Sticky | null
  /** Connections to origins through these peers, which are proxies; null = the peers answer themselves. Set once, when all clusters are there. */
  through: Through | null = null
  private readonly slowStart: SlowStart | null
  private readonly waiting: Attempt[] = []
  private refreshWanted = false
  private lastResort = 0
  private readonly tail = new TriedTail()

  constructor(parts: ClusterParts) {
    this.parts = parts
    this.name = parts.name
    this.time = parts.time
    this.budget = parts.budget
    this.meter = parts.meter ?? null
    this.guard = parts.guard ?? null
    this.named = parts.refresh !== null
    this.sticky = parts.sticky ?? null
    this.slowStart = parts.slowStart ?? null
    this.balancer = parts.makeBalancer()
    this.backupBalancer = parts.makeBalancer()
  }

  get size(): number {
    return this.peers.length
  }

  /** Takes the whole list. Peers with a known slot keep their object, connections and state; those that left finish what they have. */
  setPeers(next: readonly Peer[]): void {
    const list: Peer[] = []
    const primaries: Peer[] = []
    const backups: Peer[] = []
    for (const fresh of next) {
      const peer = this.known(fresh) ?? fresh
      peer.fullWeight = fresh.fullWeight
      peer.weight = fresh.fullWeight
      peer.backup = fresh.backup
      list.push(peer)
      if (peer.backup) backups.push(peer)
      else primaries.push(peer)
    }
    for (const [peer, pool] of this.pools) if (!list.includes(peer)) this.retire(peer, pool)
    for (const peer of this.peers) if (!list.includes(peer)) this.through?.retire(peer)
    this.peers = list
    this.primaries = primaries
    this.backups = backups
    this.slowStart?.peersChanged(list)
    this.sticky?.peersChanged(primaries, backups)
    this.weightsChanged()
    this.guard?.peersChanged(list)
    this.refreshWanted = false
    // Not those that join while these are told: they wait for the next list.
    for (let left = this.waiting.length; left > 0; left--) this.waiting.shift()?.onPeersChanged()
  }

  private known(peer: Peer): Peer | null {
    for (const p of this.peers) if (p.name === peer.name && p.slot === peer.slot && p.host === peer.host) return p
    return null
  }

  private weightsChanged(): void {
    this.balancer.peersChanged(this.primaries)
    this.backupBalancer.peersChanged(this.backups)
  }

  /** This peer is to have no more connections than its requests need: idle ones close now, the others after their exchange. */
  quiet(slot: number): void {
    for (const [peer, pool] of this.pools) if (peer.slot === slot) this.retire(peer, pool)
  }

  private retire(peer: Peer, pool: Pool): void {
    pool.close()
    this.pools.delete(peer)
    this.through?.retire(peer)
  }

  /** Everything closes after its exchange; nothing new is sent. */
  close(): void {
    for (const pool of this.pools.values()) pool.close()
    this.through?.close()
  }

  /** Takes over the connections of a former snapshot's cluster to peers that are still here, and closes the others. `compatible`: both connect in the same way. */
  adopt(former: Cluster, compatible: boolean): void {
    assert(former !== this, "a cluster adopts another one's connections")
    for (const peer of compatible ? this.peers : []) {
      const old = former.peers.find(p => p.name === peer.name && p.slot === peer.slot && p.host === peer.host) // allow(closure): on reload only
      if (old !== undefined && former.through !== null) this.through?.adopt(former.through, old, peer)
      const pool = old === undefined ? undefined : former.pools.get(old)
      if (pool === undefined || this.pools.has(peer)) continue
      pool.owner = peer
      this.pools.set(peer, pool)
    }
    const kept = new Set(this.pools.values())
    for (const pool of former.pools.values()) if (!kept.has(pool)) pool.close()
    former.through?.close()
  }

  /** The request's connection ends at its origin: there the peer is only on the way. */
  opensFor(x: Exchange): boolean {
    return this.through === null ? false : this.through.serves(x)
  }

  /** The connections that this request may use at a peer. */
  poolFor(peer: Peer, x: Exchange): Pool {
    return this.opensFor(x) ? this.through!.poolOf(peer, x) : this.poolOf(peer)
  }

  /** What goes on the request line. */
  targetOf(x: Exchange, absolute: boolean): string {
    return requestTarget(x, absolute && !this.opensFor(x))
  }

  /** What a status says of the peer: of one that only opened the way, that it did. */
  outcomeOf(x: Exchange): Outcome {
    return this.opensFor(x) ? OUTCOME.ok : outcomeOf(x.status)
  }

  poolOf(peer: Peer): Pool {
    let pool = this.pools.get(peer)
    if (pool === undefined) {
      pool = new Pool(this.parts.pool, this.time, peer)
      this.pools.set(peer, pool)
    }
    return pool
  }

  /** Connections in use and idle, for status. */
  counts(): { busy: number; idle: number } {
    let busy = this.through?.busyCount ?? 0
    let idle = this.through?.idleCount ?? 0
    for (const pool of this.pools.values()) {
      busy += pool.busyCount
      idle += pool.idleCount
    }
    return { busy, idle }
  }

  /** To the peer itself, whatever the exchange wants beyond it. */
  dialPeer(peer: Peer, timeoutMs: number, handler: DialHandler, x: Exchange): DialHandle {
    return this.parts.dialer(peer, timeoutMs, handler, x)
  }

  /** The same of connections that carry many exchanges each. */
  sharedCounts(): SharedCounts {
    const connections: SharedFacts[] = []
    let opened = 0
    let away = ""
    for (const pool of this.pools.values()) {
      connections.push(...pool.sharedFacts()) // allow(spread): for status
      opened += pool.sharedOpened
      if (pool.isAway) away = pool.refusal.code
    }
    return { connections, opened, away }
  }

  dial(peer: Peer, timeoutMs: number, handler: DialHandler, x: Exchange): DialHandle {
    return this.opensFor(x) ? this.through!.dial(peer, timeoutMs, handler, x) : this.parts.dialer(peer, timeoutMs, handler, x)
  }

  /** Sees to it that a pool without a connection gets one over QUIC. */
  joinHttp3(peer: Peer, pool: Pool, timeoutMs: number): void {
    const { quicDialer } = this.parts
    assert(quicDialer !== null && quicDialer !== undefined, "who speaks HTTP/3 can dial")
    // allow(closure): once a connection
    QuicJoin.begin(pool, this, true, handler => quicDialer(peer, timeoutMs, handler))
  }

  onHttp3(worked: boolean, detail: string): void {
    if (!worked) log.warn("upstream", "a connection over QUIC failed", { cluster: this.name, reason: detail })
  }

  /**
   * The next peer: where the client has its session, else a primary, then a backup, then, when the config says so, any that has not been tried,
   * down or not. `key` is what `keyOf` said of the request.
   */
  pick(key: number, tried: Tried): Peer | null {
    if (this.slowStart?.look(this.time.clock.now()) === true) this.weightsChanged()
    if (this.sticky === null) return this.pickAny(key, tried)
    const home = this.sticky.select(key, tried)
    return home < 0
      ? this.pickAny(plainHash(key), tried)
      : home < this.primaries.length
        ? this.primaries[home]!
        : this.backups[home - this.primaries.length]!
  }

  private pickAny(hash: number, tried: Tried): Peer | null {
    let index = this.balancer.select(hash, tried)
    if (index >= 0) return this.primaries[index]!
    if (this.backups.length > 0) {
      index = this.backupBalancer.select(hash, this.tail.over(tried, this.primaries.length))
      if (index >= 0) return this.backups[index]!
    }
    return this.parts.allDown === "try" ? this.pickAnyway(tried) : null
  }

  private pickAnyway(tried: Tried): Peer | null {
    const count = this.peers.length
    for (let k = 0; k < count; k++) {
      const index = (this.lastResort + k) % count
      const peer = index < this.primaries.length ? this.primaries[index]! : this.backups[index - this.primaries.length]!
      // That a peer is down is what we think; that it drains is what the operator wants.
      if (tried.has(index) || peer.weight === 0 || peer.saturated || peer.isDraining() || peer.gate?.refuses(peer)) continue
      this.lastResort = index + 1
      return peer
    }
    return null
  }

  /** Position for `Tried`: primaries first, then backups. */
  indexOf(peer: Peer): number {
    const at = this.primaries.indexOf(peer)
    if (at >= 0) return at
    const backup = this.backups.indexOf(peer)
    return backup < 0 ? -1 : this.primaries.length + backup
  }

  /** True when somebody is left that a further attempt could go to. */
  hasAnother(tried: Tried): boolean {
    const { primaries, backups } = this
    const down = this.parts.allDown === "try"
    for (let i = 0; i < primaries.length; i++) if (!tried.has(i) && mayTake(primaries[i]!, down)) return true
    for (let i = 0; i < backups.length; i++) if (!tried.has(primaries.length + i) && mayTake(backups[i]!, down)) return true
    return false
  }

  report(peer: Peer, outcome: Outcome): void {
    this.parts.judge(this, peer, outcome)
  }

  /** What `pick` goes by: an unsigned 32-bit hash of what the balancer keys by, 0 when it needs none; and above that where the client's session is. */
  keyOf(x: Exchange): number {
    return this.sticky === null ? this.hashOf(x) : this.sticky.keyOf(x, this.hashOf(x))
  }

  private hashOf(x: Exchange): number {
    const key = this.parts.key
    if (key === null) return 0
    switch (key.from) {
      case "client":
        return hashString(x.clientAddress)
      case "path":
        return hashString(x.path)
      case "host":
        return hashString(x.host)
      case "url":
        return hashString(x.path + x.query, hashString(x.host) ^ x.port)
      case "header":
        return hashString(x.request.find(key.name) ?? x.clientAddress)
      default:
        return hashString(cookieValue(x, key.name) ?? x.clientAddress)
    }
  }

  /** A peer given by name refused: its address may have changed. */
  refreshSoon(fault: Fault): void {
    if (this.parts.refresh === null || (fault !== FAULT.connectRefused && fault !== FAULT.connectFailed && fault !== FAULT.connectTimeout)) return
    if (this.refreshWanted) return
    this.refreshWanted = true
    this.parts.refresh(this.name)
  }

  /** The names are being resolved again: there may soon be somebody who has not been tried. */
  get refreshUnderWay(): boolean {
    return this.refreshWanted
  }

  /** Lets an attempt wait for the answer to a refresh; false when none is under way. */
  refreshing(attempt: Attempt): boolean {
    if (!this.refreshWanted && !(this.named && this.peers.length === 0)) return false
    if (this.parts.refresh !== null && !this.refreshWanted) {
      this.refreshWanted = true
      this.parts.refresh(this.name)
    }
    this.waiting.push(attempt)
    return true
  }

  forget(attempt: Attempt): boolean {
    const at = this.waiting.indexOf(attempt)
    if (at < 0) return false
    this.waiting.splice(at, 1)
    return true
  }

  /** The refresh brought nothing in time. */
  refreshTimedOut(attempt: Attempt): void {
    this.refreshWanted = false
    if (this.forget(attempt)) attempt.onPeersChanged()
  }
}

function mayTake(peer: Peer, down: boolean): boolean {
  return peer.weight > 0 && (down ? !peer.isDraining() && (peer.gate === null || !peer.gate.refuses(peer)) : peer.isAvailable())
}

function cookieValue(x: Exchange, name: string): string | undefined {
  const cookies = x.request.find("cookie")
  if (cookies === undefined) return undefined
  let at = 0
  while (at < cookies.length) {
    while (cookies.charCodeAt(at) === 32 || cookies.charCodeAt(at) === 59) at++
    let end = cookies.indexOf(";", at)
    if (end < 0) end = cookies.length
    if (cookies.startsWith(name, at) && cookies.charCodeAt(at + name.length) === 61) return cookies.substring(at + name.length + 1, end)
    at = end + 1
  }
  return undefined
}
