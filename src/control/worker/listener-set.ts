import { type Address, CidrSet, formatAddress, log } from "../../base/index.ts"
import { automaticCertificates, type Config, type ListenerConfig, type Snapshot } from "../../config/index.ts"
import {
  canOpenSockets,
  type CertificateStanding,
  CertificateStore,
  ConnectionLimits,
  duplicate,
  listen,
  type Listening,
  QuicCertificates,
  type TlsListenOptions,
} from "../../net/index.ts"
import type { LimitsByListener } from "../connection-memory.ts"
import type { InheritedSockets, LentSocket } from "../protocol.ts"
import { CertificateGate } from "./certificate-gate.ts"
import type { ListenerRuntime } from "./listener-runtime.ts"
import { openUdp } from "./open-udp.ts"
import { QuicPlace } from "./quic-place.ts"

export type MakeRuntime = (name: string, index: number, config: ListenerConfig) => ListenerRuntime

/** Listeners that a snapshot needs and that are bound already, waiting for commit or discard. */
export interface PreparedListeners {
  readonly runtimes: ReadonlyMap<string, ListenerRuntime>
  /** Made for this snapshot; the others are the live ones. */
  readonly fresh: readonly ListenerRuntime[]
  readonly handovers: readonly Handover[]
  readonly places: readonly PlaceHandover[]
  /** At addresses of the process whose place we take. */
  readonly adoptions: readonly Adoption[]
  readonly limits: LimitsByListener
  /** Settles when all UDP ports are bound; rejects when one cannot be. */
  readonly ready: Promise<unknown>
}

/** A socket that another listener accepts from already, for one whose settings differ. */
interface Handover {
  readonly from: Listening
  /** Accepts with the new settings from then on: from the same socket, so that nobody who waits in its queue is lost. */
  readonly take: Take
  readonly to: ListenerRuntime
}

/** Binds, or accepts from a socket that is there. null = not in this worker. */
type Take = (fd: number | undefined) => Listening | null

/** Sockets that another process accepts from still: with the commit, so that it serves on alone if there is none. */
interface Adoption {
  readonly bind: Address
  readonly take: Take
  readonly to: ListenerRuntime
}

/** A UDP socket that stays, for another listener. */
interface PlaceHandover {
  readonly place: QuicPlace
  readonly to: ListenerRuntime
  readonly counter: ConnectionLimits | null
}

/** The listeners of one worker over reloads: an unchanged address keeps its socket. */
export class ListenerSet {
  live: ReadonlyMap<string, ListenerRuntime> = new Map()
  private liveKeys = new Map<string, string>()
  /** Listeners that a reload removed and whose connections live on. */
  private readonly retired = new Set<ListenerRuntime>()
  /** By address: sockets of the process whose place we take, until the first commit. */
  private inherited: ReadonlyMap<string, InheritedSockets> = new Map()
  private committed: { readonly config: Config; readonly limits: LimitsByListener } | null = null
  private readonly make: MakeRuntime
  private readonly worker: number
  private readonly workers: number
  private readonly wanted: (name: string) => void

  /** Worker 0 is the one that accepts on Unix sockets, which workers cannot share. `wanted`: a client asks for a name without a certificate, where those are made. */
  constructor(make: MakeRuntime, worker: number, workers: number, wanted: (name: string) => void = () => {}) {
    this.make = make
    this.wanted = wanted
    this.worker = worker
    this.workers = workers
  }

  /** Binds what is new. Throws when an address cannot be bound; then nothing has changed. */
  prepare(snapshot: Snapshot, limits: LimitsByListener): PreparedListeners {
    const runtimes = new Map<string, ListenerRuntime>()
    const fresh: ListenerRuntime[] = []
    const handovers: Handover[] = []
    const places: PlaceHandover[] = []
    const adoptions: Adoption[] = []
    const pending: Promise<void>[] = []
    try {
      Object.entries(snapshot.config.listeners).forEach(([name, config], index) => {
        const old = this.live.get(name)
        const count = limits[name]
        if (old !== undefined && this.liveKeys.get(name) === keyOf(name, snapshot.config) && old.limitsId === (count?.id ?? 0)) {
          runtimes.set(name, old)
          return
        }
        const runtime = this.make(name, index, config)
        runtimes.set(name, runtime)
        fresh.push(runtime)
        runtime.swap(snapshot)
        runtime.limitsId = count?.id ?? 0
        this.giveCertificates(runtime, snapshot.config)
        if (config.http3 !== null && config.tls !== null) places.push(...this.openQuic(runtime, config, count))
        const counter = this.counterOf(count)
        if (config.udp !== null || config.dns !== null) pending.push(...openUdp(runtime, config, counter))
        if (config.udp !== null) return
        for (const bind of config.bind) {
          const take: Take = fd => this.bind(bind, config, runtime, { counter, fd })
          const there = this.socketsAt(bind)
          for (const from of there) handovers.push({ from, take, to: runtime })
          if (there.length > 0) continue
          if (this.inherited.has(formatAddress(bind))) adoptions.push({ bind, take, to: runtime })
          else push(runtime, take(undefined))
        }
      })
    } catch (error) {
      for (const runtime of fresh) runtime.retire()
      throw error
    }
    return { runtimes, fresh, limits, handovers, places, adoptions, ready: Promise.all(pending) }
  }

  private giveCertificates(runtime: ListenerRuntime, config: Config): void {
    const { name } = runtime.info
    const { tls, http2 } = config.listeners[name]!
    if (tls === null) return
    const automatic = automaticCertificates(config, name)
    runtime.certificates = new CertificateStore({ ...tlsOptions(tls, http2 !== null), automatic })
    runtime.certificates.watch()
    if (automatic === null) return
    runtime.gate = new CertificateGate(runtime.certificates, config.acme, this.wanted)
    runtime.gated = runtime.gate.needed()
  }

  /** The sockets that have this address now: one, or several after an upgrade. Where the runtime binds it, a Unix socket goes with its listener. */
  private socketsAt(bind: Address): Listening[] {
    if ("path" in bind && !canOpenSockets) return []
    const text = formatAddress(bind)
    return [...this.live.values()].flatMap(runtime => runtime.listening).filter(listening => formatAddress(listening.bind) === text)
  }

  /** What the next commit takes instead of binding anew. */
  inherit(sockets: readonly InheritedSockets[]): void {
    this.inherited = new Map(sockets.map(each => [each.bind, each]))
  }

  private adopt({ bind, take, to }: Adoption): void {
    const { own, spare } = this.inherited.get(formatAddress(bind))!
    for (const fd of own) push(to, take(fd))
    if (own.length > 0) return
    try {
      push(to, take(undefined))
    } catch (error) {
      if (spare < 0) throw error
      push(to, take(spare))
    }
  }

  /** Descriptors of all listening sockets, for another process; whoever gets them closes them. */
  lend(): LentSocket[] {
    return [...this.live.values()].flatMap(({ listening }) => listening.map(({ bind, fd }) => ({ bind: formatAddress(bind), fd: duplicate(fd) })))
  }

  private counterOf(count: LimitsByListener[string] | undefined): ConnectionLimits | null {
    return count === undefined ? null : new ConnectionLimits(count.memory, count.options, this.worker)
  }

  private bind(bind: Address, config: ListenerConfig, runtime: ListenerRuntime, { counter, fd }: Place): Listening | null {
    if ("path" in bind && this.worker !== 0) return null
    const prefaceFrom = config.proxyProtocol === null ? null : CidrSet.parse(config.proxyProtocol.from)
    const { time, certificates } = runtime
    const gate = runtime.gated ? runtime.gate : null
    const transparent = config.forward?.transparent?.mode === "tproxy"
    const settings = { bind, time, handshakeMs: config.timeouts.handshake, prefaceFrom, tls: certificates, limits: counter, gate, transparent }
    return listen({ ...settings, reusePort: !("path" in bind), ...(fd === undefined ? {} : { fd, inherited: true }) }, runtime)
  }

  /** UDP sockets are bound with the snapshot, except those that are there: they are handed over with it, and returned here. */
  private openQuic(runtime: ListenerRuntime, config: ListenerConfig, count: LimitsByListener[string] | undefined): PlaceHandover[] {
    const { tls, http3, http2, bind, limits, timeouts } = config
    runtime.quicCertificates = new QuicCertificates(runtime.certificates!, tlsOptions(tls!, http2 !== null))
    runtime.quicCertificates.watch()
    // By address alone: a client that a NAT gives another port stays with its worker. And a process that takes over, whose sockets come behind ours, gets
    // nothing before ours are closed.
    const steerOver = this.workers
    const handovers: PlaceHandover[] = []
    for (const at of bind) {
      if ("path" in at) continue
      const key = QuicPlace.keyOf(at, config)
      const place = this.placeOf(key)
      if (place !== undefined) {
        handovers.push({ place, to: runtime, counter: this.counterOf(count) })
        continue
      }
      const options = {
        bind: at,
        reusePort: true,
        steerOver,
        connectionLimits: this.counterOf(count),
        earlyData: http3!.earlyData,
      }
      const quicLimits = { streamsMax: limits.streamsMax, idleMs: timeouts.idle, connectionsMax: Math.min(limits.connectionsMax, 65_535) }
      runtime.quic.push(new QuicPlace(key, { ...options, limits: quicLimits }, runtime))
    }
    return handovers
  }

  private placeOf(key: string): QuicPlace | undefined {
    return [...this.live.values()].flatMap(runtime => runtime.quic).find(place => place.key === key)
  }

  commit(prepared: PreparedListeners, snapshot: Snapshot): void {
    for (const handover of prepared.handovers) {
      push(handover.to, accept(handover))
      handover.from.release()
    }
    for (const adoption of prepared.adoptions) this.adopt(adoption)
    this.inherited = new Map()
    this.handPlacesOver(prepared.places)
    this.forgetRetired()
    for (const old of this.retired) follow(old, prepared.runtimes, snapshot)
    for (const [name, old] of this.live) {
      if (prepared.runtimes.get(name) === old) continue
      old.retire(follow(old, prepared.runtimes, snapshot))
      this.retired.add(old)
    }
    for (const [name, runtime] of prepared.runtimes) {
      runtime.swap(snapshot)
      for (const port of runtime.udp) port.start()
      const counter = prepared.fresh.includes(runtime) ? null : this.counterOf(prepared.limits[name])
      if (counter === null) continue
      for (const listening of runtime.listening) listening.limit(counter)
      for (const place of runtime.quic) place.limit(counter)
      for (const port of runtime.udp) port.limit(counter)
    }
    this.live = prepared.runtimes
    this.liveKeys = new Map(Object.keys(snapshot.config.listeners).map(name => [name, keyOf(name, snapshot.config)]))
    this.committed = { config: snapshot.config, limits: prepared.limits }
  }

  /** Before the former listeners end, so that they do not end these, too. */
  private handPlacesOver(places: PreparedListeners["places"]): void {
    for (const { place, to, counter } of places) {
      for (const former of this.live.values()) former.quic = former.quic.filter(each => each !== place)
      place.give(to, counter)
      to.quic.push(place)
    }
  }

  /** Those without connections hold nothing but a snapshot that is over. One reload later, for a handshake may have been under way. */
  private forgetRetired(): void {
    for (const runtime of this.retired) if (runtime.connections.size === 0) this.retired.delete(runtime)
  }

  discard(prepared: PreparedListeners): void {
    for (const runtime of prepared.fresh) {
      runtime.retire()
      runtime.cut()
    }
  }

  /** Stops accepting everywhere. */
  drain(): void {
    for (const runtime of this.live.values()) runtime.drain()
  }

  /** Another process accepts from the sockets at these addresses now. Idle connections wait for `endIdle`. */
  handOver(addresses: ReadonlySet<string>): void {
    for (const runtime of this.live.values()) runtime.handOver(addresses)
  }

  /** Leaves the UDP ports to another process. */
  endQuic(): void {
    for (const runtime of this.live.values()) runtime.endQuic()
  }

  /** Ends the connections that are idle. */
  endIdle(): void {
    for (const runtime of this.live.values()) runtime.endIdle()
  }

  /** Connections that are open, on live and retired listeners. */
  get open(): number {
    let count = 0
    for (const runtime of this.live.values()) count += runtime.connections.size
    for (const runtime of this.retired) count += runtime.connections.size
    return count
  }

  cut(): number {
    let count = 0
    for (const runtime of [...this.live.values(), ...this.retired]) count += runtime.cut()
    return count
  }

  get certificateStandings(): CertificateStanding[] {
    return [...this.live.values()].flatMap(runtime => runtime.certificates?.standings ?? [])
  }

  refreshCertificates(): void {
    for (const runtime of this.live.values()) runtime.certificates?.refresh()
    this.followChallenges()
  }

  /** Listeners begin to look at what clients say first, or leave it, as challenges come and go: from the same socket, so that nobody in its queue is lost. */
  followChallenges(): void {
    for (const [name, runtime] of this.live) {
      const needed = runtime.gate?.needed() ?? false
      if (this.committed === null || needed === runtime.gated) continue
      runtime.gated = needed
      const counter = this.counterOf(this.committed.limits[name])
      const config = this.committed.config.listeners[name]!
      runtime.listening = runtime.listening.map(from => this.listenAnew(from, fd => this.bind(from.bind, config, runtime, { counter, fd })))
    }
  }

  private listenAnew(from: Listening, take: Take): Listening {
    if ("path" in from.bind && !canOpenSockets) return from
    try {
      const next = take(from.fd)
      if (next === null) return from
      from.release()
      return next
    } catch (error) {
      log.warn("control", "a listener cannot look at what clients say first", { bind: formatAddress(from.bind), reason: (error as Error).message })
      return from
    }
  }

  /** A name has its certificate, or gets none. */
  answered(name: string): void {
    for (const runtime of this.live.values()) {
      if (runtime.gate === null) continue
      runtime.certificates?.refresh()
      runtime.gate.answered(name)
    }
  }
}

/**
 * What still comes over the connections of a replaced listener is the new config's business: its routes decide. False when nothing has taken its
 * place, or something that is not alike: then nobody asks over them any more.
 */
function follow(old: ListenerRuntime, runtimes: ReadonlyMap<string, ListenerRuntime>, snapshot: Snapshot): boolean {
  const next = runtimes.get(old.info.name)
  if (next === undefined || next.secure !== old.secure || next.info.forward !== old.info.forward) return false
  old.swap(snapshot)
  return true
}

interface Place {
  readonly counter: ConnectionLimits | null
  readonly fd: number | undefined
}

/** Where a descriptor cannot be shared, a socket beside the old one has to do. */
function accept({ from, take }: Handover): Listening | null {
  try {
    return take(from.fd)
  } catch {
    return take(undefined)
  }
}

function push(runtime: ListenerRuntime, listening: Listening | null): void {
  if (listening !== null) runtime.listening.push(listening)
}

function tlsOptions(tls: NonNullable<ListenerConfig["tls"]>, http2: boolean): TlsListenOptions {
  const { certificates, minVersion, ciphers, clientCertificates } = tls
  const alpn = http2 ? tls.alpn : tls.alpn.filter(protocol => protocol !== "h2")
  return { certificates, minVersion, ...(ciphers === null ? {} : { ciphers }), alpn, clientCertificates: clientCertificates ?? "off" }
}

/** What a listening socket depends on; everything else is swapped in place. */
function keyOf(name: string, all: Config): string {
  const config = all.listeners[name]!
  const automatic = automaticCertificates(all, name)
  return JSON.stringify([
    automatic,
    automatic === null ? null : all.acme.onDemand,
    config.bind,
    config.tls,
    config.proxyProtocol,
    config.forward === null,
    config.http2 !== null,
    config.http3,
    config.timeouts.handshake,
    config.tcp !== null,
    config.udp !== null,
    config.forward?.transparent?.mode,
    config.dns !== null,
  ])
}
