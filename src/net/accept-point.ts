// HOT
import { type ConnectionLimits, REFUSED, UNTRACKED } from "./connection-limits.ts"
import { type ConnectionInfo, WireInfo, plainAddress } from "./connection-info.ts"
import { dispatchClose, handOver, type NativeWire, silence } from "./dispatch.ts"
import { notePlain } from "./lent-read.ts"
import { PrefaceWait } from "./preface-wait.ts"
import type { Endpoint } from "./proxy-protocol/preface.ts"
import type { Time } from "./time.ts"
import { HandshakeWait } from "./tls/handshake-wait.ts"
import type { ServerTls } from "./tls/server-tls.ts"
import type { HelloGate } from "./tls/hello-gate.ts"
import { HelloWait } from "./tls/hello-wait.ts"
import type { TlsUpgrade } from "./tls/tls-upgrade.ts"
import { UpgradePending } from "./tls/upgrade-pending.ts"
import type { Wire, WireHandler } from "./wire.ts"

export type Refusal = "connectionsMax" | "connectionsPerClientMax"

/** How a connection ended before it was one: its PROXY header, its TLS handshake, or the time for both. */
export type AcceptFailure = "bad-preface" | "handshake" | "timeout"

export interface Acceptor {
  /**
   * The connection is ready for its first octet: accepted, named by its PROXY header and with its TLS handshake done, where the listener has those.
   * Answers who listens to it from now on; null closes it at once.
   */
  onOpen(wire: Wire, info: ConnectionInfo): WireHandler | null
  /** One connection too many. On a plain listener what it answers may write a last word and must then close; on a TLS one nothing can be said. null or absent = close at once. */
  onRefused?(wire: Wire, info: ConnectionInfo, refusal: Refusal): WireHandler | null
  /** It never became ready; the connection is closed or about to be. */
  onFailed?(info: ConnectionInfo, failure: AcceptFailure, detail: string): void
}

/** Addresses that must send a PROXY protocol header. */
export interface PrefaceSources {
  has(address: string): boolean
}

export interface AcceptRules {
  readonly time: Time
  readonly handshakeMs: number
  readonly limits: ConnectionLimits | null
  readonly prefaceFrom: PrefaceSources | null
  readonly tls: ServerTls | null
  /** Looks at what clients say first; needs an upgrade. null = nobody does. */
  readonly gate: HelloGate | null
}

/** What happens between a listener's accept and its acceptor's `onOpen`. */
export class AcceptPoint {
  readonly rules: AcceptRules
  /** Another set of limits may take its place while connections are open, if both count in the same memory. */
  limits: ConnectionLimits | null
  /** Set when TLS begins on a connection that was accepted in the clear, for a header may come before it. */
  upgrade: TlsUpgrade | null
  private readonly acceptor: Acceptor
  private readonly slots: Map<Wire, number>

  constructor(rules: AcceptRules, acceptor: Acceptor) {
    this.rules = rules
    this.limits = rules.limits
    this.upgrade = null
    this.acceptor = acceptor
    this.slots = new Map()
  }

  /** A connection was accepted. From here to `closed` it counts. */
  opened(wire: NativeWire): void {
    wire.data = silence
    const { limits } = this
    const { prefaceFrom, tls } = this.rules
    if (limits !== null && !limits.openOne()) return this.refuse(wire, null, null, "connectionsMax")
    if (prefaceFrom !== null && isNamedBy(wire, prefaceFrom)) {
      wire.data = new PrefaceWait(this, wire)
      return
    }
    if (limits?.limitsClients && !this.admit(wire, plainAddress(wire.remoteAddress), limits)) {
      return this.refuse(wire, null, null, "connectionsPerClientMax")
    }
    if (tls === null) this.ready(wire, new WireInfo(wire, false, null, null))
    else this.secure(wire, null, null, null)
  }

  /** The PROXY header was read; `rest` is what came behind it. */
  named(wire: NativeWire, source: Endpoint | null, destination: Endpoint | null, rest: Buffer): void {
    const { limits } = this
    const { tls } = this.rules
    const address = source === null ? plainAddress(wire.remoteAddress) : source.address
    if (limits?.limitsClients && !this.admit(wire, address, limits)) return this.refuse(wire, source, destination, "connectionsPerClientMax")
    if (tls !== null) return this.secure(wire, source, destination, rest)
    this.ready(wire, new WireInfo(wire, false, source, destination))
    if (rest.length > 0 && wire.readyState > 0) wire.data.onData(wire, rest)
  }

  private secure(wire: NativeWire, source: Endpoint | null, destination: Endpoint | null, first: Buffer | null): void {
    const { upgrade } = this
    if (upgrade === null) return this.handshake(wire, source, destination)
    const pending = new UpgradePending(this, wire, source, destination)
    const { gate } = this.rules
    if (gate === null) return upgrade.start(pending, first)
    const wait = new HelloWait(this, gate, pending)
    wire.data = wait
    if (first !== null && first.length > 0) wait.onData(wire, first)
  }

  /** TLS begins on `wire`. */
  handshake(wire: NativeWire, source: Endpoint | null, destination: Endpoint | null): void {
    wire.data = new HandshakeWait(this, wire, new WireInfo(wire, true, source, destination).remember())
  }

  /** From now on the client's place belongs to another socket. */
  moved(from: Wire, to: Wire): void {
    const slot = this.slots.get(from)
    if (slot === undefined) return
    this.slots.delete(from)
    this.slots.set(to, slot)
  }

  /** False = this client has as many as it may. */
  private admit(wire: Wire, address: string, limits: ConnectionLimits): boolean {
    const slot = limits.admit(address)
    if (slot === REFUSED) return false
    if (slot !== UNTRACKED) this.slots.set(wire, slot)
    return true
  }

  ready(wire: NativeWire, info: ConnectionInfo): void {
    wire.data = silence
    if (this.rules.tls === null) notePlain(wire)
    handOver(wire, this.acceptor.onOpen(wire, info))
  }

  private refuse(wire: NativeWire, source: Endpoint | null, destination: Endpoint | null, refusal: Refusal): void {
    wire.data = silence
    const secure = this.rules.tls !== null
    const { acceptor } = this
    const last = acceptor.onRefused === undefined ? null : acceptor.onRefused(wire, new WireInfo(wire, false, source, destination), refusal)
    handOver(wire, secure ? null : last)
  }

  /** Tells of a connection that did not get ready. The caller closes it. */
  fail(info: ConnectionInfo, failure: AcceptFailure, detail: string): void {
    if (this.acceptor.onFailed !== undefined) this.acceptor.onFailed(info, failure, detail)
  }

  /** The accepted socket is closed; called once for each `opened`. */
  closed(wire: Wire, error?: Error): void {
    const { limits } = this
    if (limits !== null) limits.closeOne()
    this.released(wire)
    dispatchClose(wire, error)
  }

  /** The client's place is free again. */
  released(wire: Wire): void {
    if (this.slots.size === 0) return
    const slot = this.slots.get(wire)
    if (slot === undefined) return
    this.slots.delete(wire)
    if (this.limits !== null) this.limits.release(slot)
  }
}

/** On a Unix socket whoever may connect is trusted: the file's permissions say who. */
function isNamedBy(wire: Wire, sources: PrefaceSources): boolean {
  const address = plainAddress(wire.remoteAddress)
  return address === "" || sources.has(address)
}
