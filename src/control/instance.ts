import { randomBytes } from "node:crypto"
import { type Log, logOf } from "../base/index.ts"
import type { Config, Problem } from "../config/index.ts"
import { clearGauges, createMetricsMemory, MetricsRegistry, renderPrometheus } from "../observe/index.ts"
import { PeerStates, systemTimers } from "../upstream/index.ts"
import type { AdminView } from "./admin/admin-routes.ts"
import { cacheView } from "./caches/admin-view.ts"
import { Caches } from "./caches/caches.ts"
import { AdminKeeper } from "./admin/admin-keeper.ts"
import type { Status } from "./admin/status.ts"
import { redact } from "./admin/redact.ts"
import { reloadProblem, workersOf } from "./loaded-config.ts"
import { CertificateKeeper } from "./certificates/certificate-keeper.ts"
import { watchConfig } from "./config-watch.ts"
import type { ConfigSource } from "./config-source.ts"
import { type ControlCounts, controlSamples } from "./control-metrics.ts"
import { sayResilience } from "./resilience-status.ts"
import { type ControlFeature, controlFeatures } from "./features.ts"
import { clusterEntries, statusOf } from "./instance-status.ts"
import { adminSettings, checkOverrides, override, type Overrides } from "./overrides.ts"
import { ListKeeper } from "./lists/list-keeper.ts"
import { PeerDirectory } from "./peers/peer-directory.ts"
import { Drains } from "./peers/drains.ts"
import { describeChanges } from "./peers/peer-changes.ts"
import { makeResolver } from "./peers/make-resolver.ts"
import { listenerBinds, settlePorts } from "./ports.ts"
import type { ReloadProblem, SharedMemory } from "./protocol.ts"
import { type LoadOutcome, Reloader, type ReloadOutcome } from "./reload.ts"
import { BanZones } from "./bans/ban-zones.ts"
import { Zones } from "./shared-zones.ts"
import { Stager } from "./stager.ts"
import { type Inheritance, inheritedBy } from "./upgrade/inheritance.ts"
import { instanceUpgrader } from "./upgrade/instance-upgrader.ts"
import { upgradeRoutes } from "./upgrade/upgrade-routes.ts"
import { UPGRADE_MS, type Upgrader, type UpgradeOutcome } from "./upgrade/upgrader.ts"
import { version } from "./version.ts"
import { HeartbeatMonitor } from "./workers/heartbeat.ts"
import { WorkerPool } from "./workers/worker-pool.ts"
import { type SpawnWorker, spawnThread } from "./workers/worker-thread.ts"

export interface InstanceOptions extends Overrides {
  readonly source: ConfigSource
  /** Load the config again when its file changes. */
  readonly watch: boolean
  /** null = the config's. */
  readonly workers: number | null
  /** From the process whose place this one takes. */
  readonly inheritance?: Inheritance | null
  readonly testing?: Readonly<Record<string, string | number | boolean>>
  /** Another kind of thread, for tests. */
  readonly spawn?: SpawnWorker
}

export type BootFailure =
  | { readonly kind: "config"; readonly problems: readonly Problem[] }
  | { readonly kind: "port" | "refused" | "failed"; readonly problems: readonly ReloadProblem[] }
export type Booted = { readonly instance: Instance; readonly warnings: readonly Problem[] } | BootFailure

/** Starts a proxy and settles when every worker serves; or says why not, having stopped everything again. */
export async function bootInstance(options: InstanceOptions): Promise<Booted> {
  checkOverrides(options)
  const loaded = await options.source.load()
  if (!loaded.ok) return { kind: "config", problems: loaded.problems }
  const instance = new Instance(options, options.workers ?? workersOf(loaded.config))
  const outcome = await instance.reload("start")
  if (outcome.ok) return { instance, warnings: loaded.warnings }
  instance.stop(1)
  return { kind: outcome.problems[0]?.kind ?? "refused", problems: outcome.problems }
}

/** A running proxy: its config, its workers and everything around them. */
export class Instance {
  readonly id = randomBytes(4).toString("hex")
  readonly workerCount: number
  /** Settles with the exit code when everything has stopped. */
  readonly ended: Promise<number>
  readonly #options: InstanceOptions
  readonly #log: Log = logOf("control")
  readonly #registry = new MetricsRegistry()
  readonly #states: PeerStates
  readonly #memory: SharedMemory
  readonly #pool: WorkerPool
  readonly #peers: PeerDirectory
  readonly #drains: Drains
  readonly #caches: Caches
  readonly #zones = new Zones()
  readonly #bans = new BanZones(logOf("control"))
  readonly #lists = new ListKeeper(logOf("control"), () => this.#pool)
  readonly #certificates = new CertificateKeeper({
    looked: () => this.#pool.lookAtFiles(),
    answered: name => this.#pool.broadcast({ type: "answered", name }),
  })
  readonly #features: readonly ControlFeature[]
  readonly #stager: Stager
  readonly #reloader: Reloader
  readonly #admin: AdminKeeper
  readonly #counts: ControlCounts = { reloadsApplied: 0, reloadsRefused: 0, startedAt: Date.now() }
  readonly #ports: Map<string, number>
  readonly #upgrader: Upgrader
  #poolStart: Promise<void> | null = null
  #draining = false
  /** The live config was given out without disks that it names: another process had them. */
  #disksMissing = false
  #unwatch: () => void = () => {}
  #end: (code: number) => void = () => {}

  constructor(options: InstanceOptions, workerCount: number) {
    this.#options = options
    this.workerCount = workerCount
    this.#ports = new Map(options.inheritance?.ports)
    this.#states = PeerStates.create(undefined, Math.max(129, workerCount + 1))
    this.#memory = {
      peers: this.#states.buffer,
      metrics: createMetricsMemory(workerCount),
      heartbeat: new SharedArrayBuffer(HeartbeatMonitor.bytes(workerCount)),
    }
    this.#pool = this.#newPool()
    this.#peers = new PeerDirectory({
      states: this.#states,
      registry: this.#registry,
      log: this.#log,
      makeResolver,
      changed: (cluster, peers) => this.#pool.peersChanged(cluster, peers),
    })
    this.#drains = new Drains({
      states: this.#states,
      log: this.#log,
      timers: systemTimers,
      now: Date.now,
      leave: (cluster, slot, cut) => this.#pool.broadcast({ type: "leave", cluster, slot, cut }, "live"),
    })
    this.#caches = new Caches(workerCount, this.#log)
    this.#features = controlFeatures({
      id: this.id,
      zones: this.#zones,
      bans: this.#bans,
      lists: this.#lists,
      peers: this.#peers,
      drains: this.#drains,
      states: this.#states,
      log: this.#log,
    })
    this.#admin = new AdminKeeper(this.#view(), this.#log, bind => options.inheritance?.takeAdmin(bind) ?? -1)
    this.#stager = this.#newStager()
    this.#reloader = this.#newReloader()
    this.#upgrader = this.#newUpgrader()
    this.ended = new Promise(resolve => {
      this.#end = resolve
    })
    const { path } = options.source
    if (options.watch && path !== null) this.#unwatch = watchConfig(path, () => void this.reload("file change"))
  }

  /** The live config; only after a successful start. */
  get config(): Config {
    return this.#reloader.live!.config
  }

  /** "" = off. */
  get adminAddress(): string {
    return this.#admin.address
  }

  /** Never rejects. */
  async reload(trigger: string): Promise<ReloadOutcome> {
    const outcome = await this.#reloader.request(trigger, this.#disksMissing)
    if (outcome.ok) this.#disksMissing = false
    void this.#lists.look(true)
    return outcome
  }

  reopenLogs(): void {
    this.#log.info("log files are opened again")
    this.#pool.broadcast({ type: "reopen" })
  }

  /** Has the program on disk take this one's place, with its sockets; then this one drains. Never rejects; when it cannot be, nothing has changed. */
  upgrade(trigger: string, timeoutMs: number | null = null): Promise<UpgradeOutcome> {
    return this.#upgrader.run(trigger, timeoutMs ?? UPGRADE_MS, this.#draining ? "this process is draining" : "")
  }

  /** Settles when every worker serves; rejects when one does not within a while. */
  untilServing(): Promise<void> {
    return this.#pool.untilReady()
  }

  /** Every worker serves: the process whose place this one takes may leave. */
  takeOver(): void {
    const { inheritance } = this.#options
    const serves = listenerBinds(this.config).map(({ bind }) => bind)
    inheritance?.onDisksFree(() => {
      this.#disksMissing = true
      void this.reload("the disks of the caches are free")
    })
    inheritance?.settle(version, serves)
  }

  /**
   * Stops accepting, lets exchanges end within `timeoutMs` (null = the config's) and then stops. A second call can only shorten the time.
   * `handed`: addresses whose sockets another process accepts from now.
   */
  async drain(reason: string, timeoutMs: number | null, handed: readonly string[] = []): Promise<void> {
    const again = this.#draining
    this.#draining = true
    this.#upgrader.cancel("the old process was told to end")
    this.#reloader.close("the proxy is draining")
    this.#unwatch()
    this.#certificates.close()
    const limit = timeoutMs ?? this.config.drain.timeout
    if (!again) this.#log.info("draining", { reason, limitMs: limit })
    for (const feature of handed.length > 0 || again ? [] : this.#features) feature.drain?.()
    const cut = await this.#pool.drain(limit, handed)
    if (again) return
    this.#log.info("drained", { cut })
    this.stop(0)
  }

  /** Stops everything now. */
  stop(code: number): void {
    this.#draining = true
    this.#upgrader.cancel("the old process was told to end")
    this.#reloader.close("the proxy has stopped")
    this.#unwatch()
    this.#peers.stop()
    for (const feature of this.#features) feature.stop?.()
    void this.#caches.close()
    this.#certificates.close()
    this.#admin.close()
    this.#pool.stop()
    this.#end(code)
  }

  #newPool(): WorkerPool {
    return new WorkerPool({
      count: this.workerCount,
      shared: this.#memory,
      instanceId: this.id,
      spawn: this.#options.spawn ?? spawnThread,
      log: this.#log,
      testing: this.#options.testing ?? {},
      lost: index => this.#forget(index),
      refreshPeers: cluster => this.#peers.refresh(cluster),
      wanted: name => this.#certificates.wanted(name),
      before: (worker, life, { caches }) => [
        { message: { type: "lists", lists: this.#lists.shared, whole: true }, transfer: [] },
        ...inheritedBy(worker, this.workerCount, this.#options.inheritance),
        ...this.#caches.disks.before(worker, life, caches),
      ],
    })
  }

  #newUpgrader(): Upgrader {
    return instanceUpgrader({
      pool: this.#pool,
      admin: this.#admin,
      ports: this.#ports,
      disks: this.#caches.disks,
      reloader: this.#reloader,
      log: this.#log,
      drainMs: () => this.config.drain.timeout,
      drain: handed => this.drain("upgrade", null, handed),
    })
  }

  #newStager(): Stager {
    const { source, admin } = this.#options
    return new Stager({
      peers: this.#peers,
      registry: this.#registry,
      caches: this.#caches,
      zones: this.#zones,
      bans: this.#bans,
      lists: this.#lists,
      certificates: this.#certificates,
      workers: this.workerCount,
      flags: { ...source.flags, ...(admin === null ? {} : { "admin.bind": "--admin" }) },
      log: this.#log,
      inherited: this.#options.inheritance?.addresses ?? [],
      heldDisks: () => this.#options.inheritance?.heldDisks ?? new Set(),
      committed: config => this.#committed(config),
    })
  }

  #newReloader(): Reloader {
    const pool = this.#pool
    return new Reloader({
      load: () => this.#load(),
      stage: candidate => this.#stager.stage(candidate),
      workers: {
        prepare: async message => (await this.#startPool()) ?? pool.prepare(message),
        commit: message => pool.commit(message),
        discard: version => pool.discard(version),
      },
      refresh: () => pool.broadcast({ type: "certificates" }),
      finished: outcome => {
        if (!outcome.ok) this.#counts.reloadsRefused++
        else if (outcome.changed) this.#counts.reloadsApplied++
      },
      log: this.#log,
    })
  }

  /** Problems, or null when the workers listen. They are started when the first config has been staged, so that a taken port starts nothing. */
  async #startPool(): Promise<readonly ReloadProblem[] | null> {
    try {
      await (this.#poolStart ??= this.#pool.start())
      return null
    } catch (error) {
      return [{ message: `the workers cannot start: ${(error as Error).message}`, where: "", expected: "", kind: "failed" }]
    }
  }

  async #load(): Promise<LoadOutcome> {
    const { source } = this.#options
    const loaded = await source.load()
    if (!loaded.ok) return { problems: loaded.problems.filter(problem => problem.severity === "error").map(reloadProblem) }
    const config = await settlePorts(override(loaded.config, this.#options), this.#ports)
    return { candidate: { config, file: loaded.script ? source.path : null, baseDir: loaded.baseDir, warnings: loaded.warnings.map(reloadProblem) } }
  }

  /** The workers serve it; what only this thread does follows. */
  #committed(config: Config): Promise<void> {
    const wanted = this.#options.workers ?? workersOf(config)
    if (wanted !== this.workerCount) this.#log.warn("another number of workers takes effect at the next start", { running: this.workerCount, wanted })
    for (const feature of this.#features) feature.follow?.(config)
    return this.#admin.follow(adminSettings(config))
  }

  /** What a dead worker counted in shared memory is taken back. */
  #forget(index: number): void {
    this.#states.forgetWorker(index + 1)
    this.#stager.forgetWorker(index)
    this.#zones.forgetWorker(index)
    if (this.#caches.forgetWorker(index)) {
      this.#log.error("a worker ended while it changed a cache: the cache begins anew", { worker: index })
      this.#restage()
    }
    clearGauges(this.#memory.metrics, index, this.#registry.layout)
  }

  /** Gives the live config out again: something that it needs has to be made anew. */
  #restage(): void {
    void this.#reloader.request("a cache begins anew", true)
  }

  #view(): AdminView {
    return {
      ready: () => this.#pool.ready(),
      draining: () => this.#draining,
      metrics: () => this.#metrics(),
      status: () => this.#status(),
      config: () => redact(this.config),
      reload: () => this.reload("admin API"),
      drain: timeoutMs => void this.drain("admin API", timeoutMs),
      terminateWorker: index => this.#pool.terminate(index),
      features: [
        upgradeRoutes(timeoutMs => this.upgrade("admin API", timeoutMs)),
        ...this.#features.flatMap(({ admin }) => (admin === undefined ? [] : [admin])),
      ],
      caches: cacheView({
        caches: this.#caches,
        config: () => this.config,
        registry: this.#registry,
        metrics: this.#memory.metrics,
        inspect: passesMax => this.#pool.inspect(500, passesMax),
      }),
    }
  }

  #metrics(): string {
    const own = controlSamples({ counts: this.#counts, workers: this.#pool.status(), files: this.#pool.files(), ...this.#facts() })
    return renderPrometheus(this.#registry, this.#memory.metrics, [...own, ...this.#features.flatMap(feature => feature.samples?.() ?? [])])
  }

  async #status(): Promise<Status> {
    const inspections = await this.#pool.inspect()
    const { source } = this.#options
    return statusOf({
      instanceId: this.id,
      startedAt: this.#counts.startedAt,
      draining: this.#draining,
      config: this.config,
      source: source.name,
      workers: this.#pool.status(),
      inspections,
      certificates: this.#certificates.entries(),
      ...this.#facts(),
    })
  }

  #facts() {
    const { version, committedAt, last } = this.#reloader
    const clusters = clusterEntries(this.#peers.current, this.#states, cluster => ({
      unresolved: this.#peers.unresolved(cluster),
      changed: describeChanges(this.#peers.changesOf(cluster)),
      ...sayResilience(this.#reloader.live?.config.clusters[cluster], this.#states, this.#peers.ownSlot(cluster)),
    }))
    return { configVersion: version, committedAt, last, clusters }
  }
}
