import { networkInterfaces } from "node:os"
import { startWheel, TickClock, TimerWheel } from "../../base/index.ts"
import { attachDiskStore, type AttachedDiskStore, attachMemoryStore, CacheStore, setKeySeed } from "../../cache/index.ts"
import { adoptConnections, compileSnapshot, type CompileDeps, type Config, loadConfig, logFormats, type Snapshot } from "../../config/index.ts"
import { type Exchange, setFlowClock, tunnelCount } from "../../flow/index.ts"
import type { Time } from "../../http/index.ts"
import { OWN_DIALS_BYTES, setSocketMark, watchOwnDials } from "../../net/index.ts"
import {
  type AccessLog,
  createAccessLog,
  lineAnonymizer,
  LineTargets,
  type MetricsLayout,
  MetricsRegistry,
  PROCESS,
  WorkerMetrics,
} from "../../observe/index.ts"
import { Peer, PeerStates } from "../../upstream/index.ts"

import { WorkerLists } from "../lists/worker-lists.ts"
import { makeOriginResolver } from "../peers/make-resolver.ts"
import {
  type FromWorker,
  HEARTBEAT,
  HEARTBEAT_EVERY_MS,
  HEARTBEAT_WORDS,
  type ToWorker,
  type WorkerInspection,
  type WorkerSetup,
} from "../protocol.ts"
import { openInside } from "./inside/open-inside.ts"
import { hasTransparent, OWN_DIALS_KEY } from "./open-transparent.ts"
import { FileWatchers } from "./file-watchers.ts"
import { leavePeer } from "./leave-peer.ts"
import { ListenerRuntime, type WorkerCounts } from "./listener-runtime.ts"
import { ListenerSet, type PreparedListeners } from "./listener-set.ts"

type Prepare = Extract<ToWorker, { type: "prepare" }>

interface Prepared {
  readonly message: Prepare
  readonly snapshot: Snapshot
  readonly listeners: PreparedListeners
  readonly accessLog: AccessLog
  readonly watchers: FileWatchers
}

const DRAIN_LOOK_MS = 50
/** Where another process serves already, an idle client is waited for, to be told with its next answer: this share of the time to drain. */
const IDLE_PATIENCE = 0.5
/** New connections of HTTP/3 reach that process when our UDP sockets are closed. */
const QUIC_LAST_MS = 1000
const TELL_FILES_MS = 1000

/** The data path of one worker thread: listeners, the live snapshot, and what the control thread asks of it. */
export class DataPlane {
  private readonly setup: WorkerSetup
  private readonly post: (message: FromWorker) => void
  private readonly time: Time
  private readonly beat: Int32Array
  private readonly states: PeerStates
  private readonly counts: WorkerCounts = { connections: 0, exchanges: 0 }
  private metrics: WorkerMetrics | null = null
  private registry: MetricsRegistry | null = null
  private readonly listeners: ListenerSet
  private live: Prepared | null = null
  private prepared: Prepared | null = null
  private resolver: { readonly key: string; readonly of: CompileDeps["resolver"] } | null = null
  private readonly lines: LineTargets
  private accessLog: { readonly key: string; readonly of: AccessLog } | null = null
  /** By the number of their memory. */
  private readonly caches = new Map<number, CacheStore>()
  private readonly disks = new Map<number, AttachedDiskStore>()
  private readonly lists = new WorkerLists()
  private drainTimer: ReturnType<typeof setInterval> | null = null
  private droppedBefore = 0
  private filesTold = "[]"

  constructor(setup: WorkerSetup, post: (message: FromWorker) => void) {
    this.setup = setup
    this.post = post
    const clock = new TickClock()
    this.time = { clock, wheel: new TimerWheel(clock.now()) }
    startWheel(this.time.wheel, clock)
    setFlowClock(clock)
    this.lines = new LineTargets(clock)
    this.beat = new Int32Array(setup.shared.heartbeat, setup.index * HEARTBEAT_WORDS * 4, HEARTBEAT_WORDS)
    this.states = PeerStates.attach(setup.shared.peers, setup.index + 1)
    this.listeners = new ListenerSet(
      (name, index, config) => this.newRuntime(name, index, config),
      setup.index,
      setup.count,
      name => this.post({ type: "wanted", name }),
    )
    setInterval(() => this.tick(), HEARTBEAT_EVERY_MS)
    setInterval(() => this.lookAtFiles(), TELL_FILES_MS)
  }

  private lookAtFiles(): void {
    this.listeners.followChallenges()
    this.tellFiles()
  }

  private newRuntime(name: string, index: number, config: Config["listeners"][string]): ListenerRuntime {
    return new ListenerRuntime(name, index, config, {
      time: this.time,
      counts: this.counts,
      metrics: this.metrics!,
      metricsAt: this.registry!.listener(name),
    })
  }

  private tick(): void {
    Atomics.add(this.beat, HEARTBEAT.beat, 1)
    Atomics.store(this.beat, HEARTBEAT.connections, this.counts.connections)
    Atomics.store(this.beat, HEARTBEAT.exchanges, this.counts.exchanges)
    const dropped = this.accessLog?.of.dropped() ?? 0
    if (dropped > this.droppedBefore && this.metrics !== null && this.registry !== null) {
      this.metrics.add(this.registry.process + PROCESS.linesDropped, dropped - this.droppedBefore)
      this.droppedBefore = dropped
    }
  }

  /** One message of the control thread. */
  async handle(message: ToWorker): Promise<void> {
    switch (message.type) {
      case "prepare":
        return this.prepare(message)
      case "disk":
        setKeySeed(message.attachment.settings.keySeed)
        this.disks.set(message.id, attachDiskStore(message.attachment, this.setup.index))
        return
      case "lists":
        return this.lists.take(message.lists, message.whole)
      case "commit":
        return this.commit(message.version)
      case "discard":
        return this.discard(message.version)
      case "peers":
        return this.setPeers(message.cluster, message.peers)
      case "leave":
        return leavePeer(this.live?.snapshot.clusters.get(message.cluster), message.slot, message.cut)
      case "drain":
        return this.drain(message.timeoutMs, message.handed ?? [])
      case "inherit":
        return this.listeners.inherit(message.sockets)
      case "lend":
        return this.post({ type: "lent", sockets: this.listeners.lend() })
      case "reopen":
        this.accessLog?.of.reopen()
        this.lines.reopen()
        return
      case "certificates":
        this.listeners.refreshCertificates()
        this.live?.watchers.look(true)
        this.tellFiles()
        return
      case "answered":
        this.listeners.answered(message.name)
        return
      case "inspect":
        this.post({ type: "inspected", id: message.id, ...this.inspect(message.passesMax) })
    }
  }

  /** Compiles beside the live snapshot and binds what is new. Nothing of it serves before commit. */
  private async prepare(message: Prepare): Promise<void> {
    this.discardPrepared()
    const watchers = new FileWatchers()
    let accessLog: AccessLog | null = null
    try {
      this.takeLayout(message.layout)
      const config = await this.configOf(message)
      accessLog = this.accessLogFor(config)
      const snapshot = compileSnapshot(message.version, config, this.depsFor(message, config, accessLog, watchers), this.live?.snapshot ?? null)
      const listeners = this.listeners.prepare(snapshot, message.limits)
      await listeners.ready.catch((error: unknown) => {
        this.listeners.discard(listeners)
        throw error
      })
      this.prepared = { message, snapshot, listeners, accessLog, watchers }
      this.post({ type: "prepared", version: message.version })
    } catch (error) {
      watchers.close()
      if (accessLog !== null && accessLog !== this.accessLog?.of) void accessLog.close()
      const text = error instanceof Error ? error.message : String(error)
      this.post({ type: "refused", version: message.version, problems: [{ message: text, where: "", expected: "" }] })
    }
  }

  private takeLayout(layout: MetricsLayout): void {
    this.registry = MetricsRegistry.restore(layout)
    this.metrics ??= WorkerMetrics.attach(this.setup.shared.metrics, this.setup.index, layout)
  }

  /** Functions cannot be posted: a config with a script in it is loaded again; where to listen is what the control thread found. */
  private async configOf(message: Prepare): Promise<Config> {
    if (message.file === null) return message.config
    const loaded = await loadConfig(message.file)
    if (!loaded.ok) throw new Error(loaded.problems[0]?.message ?? "the config cannot be loaded again")
    const listeners = Object.fromEntries(
      Object.entries(loaded.config.listeners).map(([name, listener]) => [
        name,
        { ...listener, bind: message.config.listeners[name]?.bind ?? listener.bind },
      ]),
    )
    return { ...loaded.config, listeners }
  }

  private accessLogFor(config: Config): AccessLog {
    const { accessLog } = config.observe
    const key = JSON.stringify(accessLog)
    if (this.accessLog?.key === key) return this.accessLog.of
    const definition = logFormats.find(format => format.name === accessLog.format.name)
    if (definition === undefined) throw new Error(`there is no log format "${accessLog.format.name}"`)
    const anonymize = accessLog.privacy === null ? null : lineAnonymizer(accessLog.privacy, this.states.secret())
    return createAccessLog({ format: definition.compile(accessLog.format.options), to: accessLog.to, anonymize })
  }

  /** What a thread knows of a cache goes on as long as its memory does: a config that is live or prepared names it. */
  private cachesFor({ caches }: Prepare): Map<string, CacheStore> {
    setKeySeed(caches.seed)
    const used = new Set([caches, this.live?.message.caches].flatMap(of => Object.values(of?.byName ?? {}).map(({ id }) => id)))
    for (const id of this.caches.keys()) if (!used.has(id)) this.caches.delete(id)
    return new Map(Object.entries(caches.byName).map(([name, cache]) => [name, this.cacheOf(name, cache)]))
  }

  private cacheOf(name: string, { id, memory, disk }: Prepare["caches"]["byName"][string]): CacheStore {
    const store =
      this.caches.get(id) ?? new CacheStore(name, attachMemoryStore(memory, this.setup.index + 1), this.disks.get(disk) ?? null, this.time)
    this.caches.set(id, store)
    return store
  }

  private resolverFor(config: Config): CompileDeps["resolver"] {
    const { block } = config.resolver
    const key = JSON.stringify([config.resolver, block.map(name => config.lists[name])])
    if (this.resolver?.key === key) return this.resolver.of
    const lists = this.lists.of(config)
    const blocked = block.map(name => lists.get(name))
    const isBlocked = blocked.length === 0 ? undefined : (name: string) => blocked.some(list => list.has(name))
    this.resolver = { key, of: makeOriginResolver(config.resolver, isBlocked) }
    return this.resolver.of
  }

  private depsFor(message: Prepare, config: Config, accessLog: AccessLog, watchers: FileWatchers): CompileDeps {
    return {
      time: this.time,
      states: this.states,
      peers: message.peers,
      clusterSlots: message.clusterSlots,
      resolver: this.resolverFor(config),
      metrics: this.metrics,
      layout: message.layout,
      accessLog: accessLog.enabled ? this.currentLog : accessLog,
      instanceId: this.setup.instanceId,
      baseDir: message.baseDir,
      refreshPeers: cluster => this.post({ type: "refreshPeers", cluster }),
      ended: this.ended,
      caches: this.cachesFor(message),
      lines: this.lines.of,
      lists: this.lists.of(config),
      watchFile: (path, changed) => watchers.watch(path, changed),
      shared: (key, bytes) => sharedOf(message, key, bytes),
      openInside,
      worker: { index: this.setup.index, count: this.setup.count },
      ownAddresses: Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(entry => entry.address)),
    }
  }

  /** An exchange outlives reloads, and so does its line: it goes into the log of its end. */
  private readonly currentLog: AccessLog = {
    enabled: true,
    log: x => this.accessLog?.of.log(x),
    reopen: () => this.accessLog?.of.reopen(),
    close: () => this.accessLog?.of.close() ?? Promise.resolve(),
    dropped: () => this.accessLog?.of.dropped() ?? 0,
  }

  private readonly ended = (_x: Exchange): void => {
    this.counts.exchanges--
  }

  private commit(version: number): void {
    const { prepared } = this
    if (prepared === null || prepared.message.version !== version) return
    this.prepared = null
    const former = this.live
    this.live = prepared
    setSocketMark(prepared.snapshot.config.capture?.mark ?? 0)
    watchOwnDials(hasTransparent(prepared.snapshot.config) ? sharedOf(prepared.message, OWN_DIALS_KEY, OWN_DIALS_BYTES) : null)
    this.listeners.commit(prepared.listeners, prepared.snapshot)
    if (former !== null) {
      adoptConnections(prepared.snapshot.compiledClusters, former.snapshot.compiledClusters)
      for (const [name, origins] of former.snapshot.origins) if (prepared.snapshot.origins.get(name) !== origins) origins.close()
      former.watchers.close()
    }
    if (this.accessLog !== null && this.accessLog.of !== prepared.accessLog) {
      void this.accessLog.of.close()
      this.droppedBefore = 0
    }
    this.accessLog = { key: JSON.stringify(prepared.snapshot.config.observe.accessLog), of: prepared.accessLog }
    prepared.watchers.start()
    Atomics.store(this.beat, HEARTBEAT.version, version)
    this.post({ type: "committed", version })
    this.tellFiles()
  }

  /** How the files stand that are read again when they change, when that is news. */
  private tellFiles(): void {
    const files = [...this.listeners.certificateStandings, ...(this.live?.watchers.standings ?? [])]
    const text = JSON.stringify(files)
    if (text === this.filesTold) return
    this.filesTold = text
    this.post({ type: "files", files })
  }

  private discard(version: number): void {
    if (this.prepared?.message.version === version) this.discardPrepared()
  }

  private discardPrepared(): void {
    const { prepared } = this
    this.prepared = null
    if (prepared === null) return
    this.listeners.discard(prepared.listeners)
    prepared.watchers.close()
    if (prepared.accessLog !== this.accessLog?.of) void prepared.accessLog.close()
  }

  private setPeers(cluster: string, peers: Prepare["peers"][string]): void {
    const of = this.live?.snapshot.clusters.get(cluster)
    of?.setPeers(peers.map(peer => new Peer(peer, peer.slot, this.states, peer.metrics)))
  }

  private drain(timeoutMs: number, handed: readonly string[]): void {
    Atomics.store(this.beat, HEARTBEAT.draining, 1)
    if (handed.length > 0) this.listeners.handOver(new Set(handed))
    else this.listeners.drain()
    if (this.drainTimer !== null) clearInterval(this.drainTimer)
    const now = Date.now()
    const until = now + timeoutMs
    const endIdleAt = handed.length > 0 ? now + timeoutMs * IDLE_PATIENCE : Infinity
    const endQuicAt = handed.length > 0 ? now + QUIC_LAST_MS : Infinity
    const look = (): void => {
      if (Date.now() >= endQuicAt) this.listeners.endQuic()
      if (Date.now() >= endIdleAt) this.listeners.endIdle()
      const { open } = this.listeners
      if (open > 0 && Date.now() < until) return
      if (this.drainTimer !== null) clearInterval(this.drainTimer)
      this.drainTimer = null
      const cut = open === 0 ? 0 : this.listeners.cut()
      void this.finishDrain(cut)
    }
    // Not at once: who waits to be accepted comes in first.
    this.drainTimer = setInterval(look, DRAIN_LOOK_MS)
  }

  private async finishDrain(cut: number): Promise<void> {
    await this.accessLog?.of.close()
    await this.lines.close()
    this.post({ type: "drained", cut })
  }

  private inspect(passesMax: number): WorkerInspection {
    const connections: Record<string, number> = {}
    for (const [name, runtime] of this.listeners.live) connections[name] = runtime.connections.size
    const pools: Record<string, WorkerInspection["pools"][string]> = {}
    for (const [name, cluster] of this.live?.snapshot.clusters ?? []) pools[name] = { ...cluster.counts(), shared: cluster.sharedCounts() }
    return {
      connections,
      exchanges: this.counts.exchanges,
      tunnels: tunnelCount(),
      pools,
      heapBytes: process.memoryUsage().heapUsed,
      snapshots: this.live === null ? [] : [this.live.snapshot.version],
      passes: Object.fromEntries([...this.caches.values()].map(({ name, passed }) => [name, passesMax === 0 ? [] : passed.top(passesMax)])),
    }
  }
}

/** The control thread has built the same filters before, and so knows what they ask for. Inline filters of a script it has not: theirs is this thread's own. */
function sharedOf({ zones }: Prepare, key: string, bytes: number): SharedArrayBuffer {
  const memory = zones[key]
  return memory?.byteLength === bytes ? memory : new SharedArrayBuffer(bytes)
}
