// HOT
import { assert, type Fault, FAULT, formatAddress } from "../../base/index.ts"
import { h2TuningOf, type ListenerConfig, type Snapshot } from "../../config/index.ts"
import { acquireExchange, begin, type Exchange, FAULT_VERDICT, type ListenerInfo, notesOf, type Plan, type Step } from "../../flow/index.ts"
import {
  acceptConnection,
  type Downstream,
  type DownstreamConnection,
  type H2Tuning,
  H3ServerConnection,
  RawServerConnection,
  type RawOptions,
  type SocksOptions,
  type Message,
  type ServerHooks,
  type ServerTimeouts,
  type Time,
} from "../../http/index.ts"
import {
  type AcceptFailure,
  type Acceptor,
  type CertificateStore,
  type ConnectionInfo,
  type Listening,
  type QuicCertificates,
  type QuicConnection,
  type QuicConnectionHandler,
  type Refusal,
  type Wire,
  type WireHandler,
  type UdpListening,
  WireInfo,
} from "../../net/index.ts"
import { LISTENER, type WorkerMetrics } from "../../observe/index.ts"
import type { CertificateGate } from "./certificate-gate.ts"
import { openDns } from "./open-dns.ts"
import { openTransparent, type Transparent, transparentOf } from "./open-transparent.ts"
import { rawOptionsOf } from "./raw-options.ts"
import { socksOptionsOf } from "./socks-options.ts"
import type { QuicPlace } from "./quic-place.ts"

const REFUSED_TEXT = `HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 39\r\nConnection: close\r\n\r\nToo many connections; try again later.\n`

/** Counts that the heartbeat publishes. */
export interface WorkerCounts {
  connections: number
  exchanges: number
}

const runtimes = new WeakMap<ListenerInfo, ListenerRuntime>()

/** The listener that an exchange came to. */
export function runtimeOf(info: ListenerInfo): ListenerRuntime {
  return runtimes.get(info)!
}

function refuseStep(_x: Exchange): typeof FAULT_VERDICT {
  return FAULT_VERDICT
}

/**
 * One listener in one worker: what its connections need, and which snapshot their next exchange starts with. It outlives reloads that do not
 * touch its address; a reload swaps `snapshot`, `entry` and the limits, nothing else.
 */
export class ListenerRuntime implements ServerHooks, Acceptor {
  readonly info: ListenerInfo
  readonly secure: boolean
  readonly forward: boolean
  http2: boolean
  h2Tuning: H2Tuning | undefined
  altSvc = ""
  readonly time: Time
  closing = false
  lastRequests = true
  limits: ServerHooks["limits"]
  timeouts: ServerTimeouts
  readonly connections = new Set<DownstreamConnection>()
  /** Sockets that accept for it. */
  listening: Listening[] = []
  /** Its UDP sockets, where it speaks HTTP/3. */
  quic: QuicPlace[] = []
  quicCertificates: QuicCertificates | null = null
  /** Its UDP ports, where it hands on datagrams. */
  udp: UdpListening[] = []
  /** How SOCKS clients are taken; null = they are not. */
  socks: SocksOptions | null = null
  /** How clients without HTTP are taken; null = it speaks HTTP. */
  private raw: RawOptions | null = null
  private transparent: Transparent | null = null
  private dns = false
  certificates: CertificateStore | null = null
  /** Where certificates are made while it serves. */
  gate: CertificateGate | null = null
  /** The gate looks at what clients say first. */
  gated = false
  /** Number of the memory where connections are counted over all workers. */
  limitsId = 0
  private readonly counts: WorkerCounts
  private readonly metrics: WorkerMetrics
  private readonly metricsAt: number
  private snapshot: Snapshot | null = null
  private entry: Plan | null = null
  /** For requests inside tunnels that were opened. */
  private insideEntry: Plan | null = null
  private refusal: Plan | null = null

  constructor(
    name: string,
    index: number,
    config: ListenerConfig,
    parts: { time: Time; counts: WorkerCounts; metrics: WorkerMetrics; metricsAt: number },
  ) {
    this.info = { name, index, secure: config.tls !== null, forward: config.forward !== null }
    runtimes.set(this.info, this)
    this.secure = config.tls !== null
    this.forward = config.forward !== null
    this.http2 = config.http2 !== null
    this.time = parts.time
    this.counts = parts.counts
    this.metrics = parts.metrics
    this.metricsAt = parts.metricsAt
    this.limits = config.limits
    this.timeouts = config.timeouts
  }

  /** Exchanges that start from now on use this snapshot. */
  swap(snapshot: Snapshot): void {
    const entry = snapshot.entries.get(this.info.name)
    const config = snapshot.config.listeners[this.info.name]
    assert(entry !== undefined && config !== undefined, "a listener is in its snapshot")
    this.snapshot = snapshot
    this.entry = entry
    this.insideEntry = snapshot.insideEntries.get(this.info.name) ?? null
    this.limits = config.limits
    this.timeouts = config.timeouts
    this.http2 = config.http2 !== null
    this.h2Tuning = config.http2 === null ? undefined : h2TuningOf(config.http2)
    this.altSvc = altSvcOf(config)
    this.socks = socksOptionsOf(config)
    this.raw = rawOptionsOf(this.info.name, snapshot.config)
    this.transparent = transparentOf(config.forward)
    this.dns = config.dns !== null
    const steps: Step[] = [refuseStep, ...entry.steps.slice(entry.respondAt)] // allow(spread): at reload only
    this.refusal = { ...entry, steps, respondAt: 1, logAt: 1 + entry.logAt - entry.respondAt } // allow(spread): at reload only
  }

  onOpen(wire: Wire, info: ConnectionInfo): WireHandler | null {
    if (this.raw !== null) return this.openRaw(wire, info, this.raw)
    if (this.transparent !== null) return this.openTransparent(wire, info, this.transparent)
    if (this.dns) return this.openDns(wire, info)
    const connection = acceptConnection(wire, info, this)
    this.opened(connection)
    return connection
  }

  private openRaw(wire: Wire, info: ConnectionInfo, options: RawOptions): WireHandler {
    const connection = new RawServerConnection(wire, info, this, options)
    this.opened(connection)
    connection.begin()
    return connection
  }

  private openTransparent(wire: Wire, info: ConnectionInfo, options: Transparent): WireHandler {
    const connection = openTransparent(wire, info, this, options)
    this.opened(connection)
    if (connection instanceof RawServerConnection) connection.begin()
    return connection
  }

  private openDns(wire: Wire, info: ConnectionInfo): WireHandler {
    const connection = openDns(wire, info, this)
    this.opened(connection)
    return connection
  }

  /** A client that came by QUIC. */
  onQuic(connection: QuicConnection): QuicConnectionHandler {
    const client = new H3ServerConnection(connection, this)
    this.opened(client)
    return client
  }

  private opened(connection: DownstreamConnection): void {
    this.connections.add(connection)
    this.counts.connections++
    this.metrics.add(this.metricsAt + LISTENER.accepted, 1)
    this.metrics.add(this.metricsAt + LISTENER.open, 1)
  }

  /** One connection too many: a word on plain listeners, then the end. */
  onRefused(wire: Wire, _info: ConnectionInfo, _refusal: Refusal): WireHandler | null {
    this.metrics.add(this.metricsAt + LISTENER.refused, 1)
    this.metrics.fault(FAULT.connectionsMax)
    const speaksHttp = this.raw === null && this.transparent === null && !this.dns && this.socks?.only !== true
    if (!this.secure && speaksHttp) {
      wire.write(REFUSED_TEXT)
      wire.end()
    }
    return null
  }

  onFailed(_info: ConnectionInfo, failure: AcceptFailure, _detail: string): void {
    this.metrics.fault(failure === "bad-preface" ? FAULT.badPreface : FAULT.handshakeFailed)
  }

  acquire(down: Downstream): Message {
    const x = acquireExchange()
    const { info } = down
    x.down = down
    x.listener = this.info
    x.scheme = this.secure ? "https" : "http"
    x.peerAddress = info.remoteAddress === "" ? "unix" : info.remoteAddress
    x.clientAddress = x.peerAddress
    return x
  }

  recycle(m: Message): void {
    ;(m as Exchange).release()
  }

  start(m: Message): void {
    const x = m as Exchange
    this.counts.exchanges++
    x.snapshot = this.snapshot
    x.plan = this.entry
    begin(x)
  }

  claimed(m: Message, name: string): void {
    notesOf(m as Exchange).claimedUser = name
  }

  /** The same for a request inside a tunnel: what has begun goes on to its end although the listener inspects no more. */
  startInside(x: Exchange): void {
    if (this.insideEntry === null) return this.refuse(x, FAULT.draining)
    this.counts.exchanges++
    x.snapshot = this.snapshot
    x.plan = this.insideEntry
    begin(x)
  }

  /** A client's tunnel was opened: what is in it takes the place of the connection that had it, where that was its whole. */
  goesOn(former: object | null, next: DownstreamConnection): void {
    if (this.connections.delete(former as DownstreamConnection)) this.connections.add(next)
    else this.opened(next)
  }

  refuse(m: Message, fault: Fault): void {
    const x = m as Exchange
    this.counts.exchanges++
    x.snapshot = this.snapshot
    x.plan = this.refusal
    x.fault = fault
    begin(x)
  }

  replaced(former: DownstreamConnection, next: DownstreamConnection): void {
    if (this.connections.delete(former)) this.connections.add(next)
  }

  faulted(fault: Fault): void {
    this.metrics.fault(fault)
  }

  closed(connection: DownstreamConnection): void {
    if (!this.connections.delete(connection)) return
    this.counts.connections--
    this.metrics.add(this.metricsAt + LISTENER.open, -1)
  }

  /** Stops accepting; connections close after their exchange. `lastRequests`: who asked lately is served once more. */
  retire(lastRequests = true): void {
    this.lastRequests = lastRequests
    for (const listening of this.listening) listening.stop()
    for (const place of this.quic) place.drain()
    // The system would go on to give new clients to this socket.
    for (const port of this.udp) port.close()
    this.end()
  }

  /** The same when nothing takes its place: whoever waits to be accepted is served as well. */
  drain(): void {
    for (const listening of this.listening) listening.drain()
    for (const place of this.quic) place.drain()
    for (const port of this.udp) port.stop()
    this.end()
  }

  /**
   * The same when another process accepts from these addresses' sockets: what waits in their queues is its business. There is no haste, so a client that
   * keeps its connection is not cut off while it may be asking: its next answer says that it was the last, and only `endIdle` ends the silent ones.
   */
  handOver(addresses: ReadonlySet<string>): void {
    for (const listening of this.listening) {
      if (addresses.has(formatAddress(listening.bind))) listening.release()
      else listening.drain()
    }
    for (const place of this.quic) place.drain()
    this.stopFollowing()
    // HTTP/2 and 3 have a word for it.
    for (const connection of this.connections) if (!isPatient(connection)) connection.closeIdle()
  }

  /** Closes the UDP sockets: packets go where the next process listens. What is left on them ends. */
  endQuic(): void {
    for (const place of this.quic) place.close()
    for (const port of this.udp) port.close()
    this.quic = []
  }

  /** Ends idle connections, but for those that have just sent something. */
  endIdle(): void {
    for (const connection of this.connections) {
      const { info } = connection
      if (info instanceof WireInfo && info.hasUnread) continue
      connection.closeIdle()
    }
  }

  private end(): void {
    this.stopFollowing()
    for (const connection of this.connections) connection.closeIdle()
  }

  private stopFollowing(): void {
    this.closing = true
    this.listening = []
    this.quicCertificates?.close()
    this.certificates?.close()
  }

  /** Cuts what is left; returns how many connections that were. */
  cut(): number {
    let count = 0
    for (const connection of this.connections) {
      connection.closeNow()
      count++
    }
    for (const place of this.quic) place.close()
    for (const port of this.udp) port.close()
    return count
  }
}

/** A connection that is told of the end with its next answer. */
function isPatient({ info }: DownstreamConnection): boolean {
  return info instanceof WireInfo && info.alpn !== "h2"
}

/** The first address's port stands for all of them. */
function altSvcOf({ http3, bind }: ListenerConfig): string {
  const first = bind[0]
  if (http3 === null || http3.advertise === null || first === undefined || "path" in first) return ""
  return `h3=":${http3.advertise.port ?? first.port}"; ma=${Math.round(http3.advertise.maxAge / 1000)}`
}
