import type { Log } from "../../base/index.ts"
import { closeDescriptor } from "../../net/index.ts"
import type { FollowedFile, FromWorker, LentSocket, ReloadProblem, ResolvedPeer, SharedMemory, ToWorker, WorkerInspection } from "../protocol.ts"
import { FollowedFiles } from "./followed-files.ts"
import { HeartbeatMonitor } from "./heartbeat.ts"
import { WorkerLog } from "./worker-log.ts"
import { type Prepare, type SlotOwner, type SlotState, WorkerSlot } from "./worker-slot.ts"
import type { SpawnWorker } from "./worker-thread.ts"

export interface WorkerPoolOptions {
  readonly count: number
  readonly shared: SharedMemory
  readonly instanceId: string
  readonly spawn: SpawnWorker
  readonly log: Log
  readonly testing?: Readonly<Record<string, string | number | boolean>>
  /** A thread in this place is gone: what it counted in shared memory must be taken back. */
  readonly lost?: (index: number) => void
  readonly refreshPeers?: (cluster: string) => void
  /** A client asks for a name without a certificate. */
  readonly wanted?: (name: string) => void
  /** Messages for a thread before it prepares this config. */
  readonly before?: SlotOwner["before"]
}

export interface WorkerStatus {
  readonly index: number
  readonly state: SlotState
  readonly version: number
  readonly restarts: number
  readonly aliveMs: number
  readonly heartbeatAgeMs: number
  readonly connections: number
  readonly exchanges: number
}

const LOOK_EVERY_MS = 250
const LOOKED_MS = 2000
/** Beyond the drain limit, for the answer itself. */
const DRAIN_PATIENCE_MS = 1000
const LEND_MS = 5000
const READY_MS = 10_000
const READY_LOOK_MS = 20

/** The worker threads. Keeps `count` of them alive and on the live version. */
export class WorkerPool {
  readonly #slots: WorkerSlot[] = []
  readonly #beats: HeartbeatMonitor
  readonly #options: WorkerPoolOptions
  readonly #said = new WorkerLog()
  readonly #files = new FollowedFiles()
  #live: Prepare | null = null
  #draining: Promise<number> | null = null
  #timer: ReturnType<typeof setInterval> | null = null

  constructor(options: WorkerPoolOptions) {
    this.#options = options
    this.#beats = new HeartbeatMonitor(options.shared.heartbeat, options.count)
    const owner = {
      spawn: options.spawn,
      setup: (index: number) => ({
        index,
        count: options.count,
        shared: options.shared,
        instanceId: options.instanceId,
        testing: options.testing ?? {},
      }),
      live: () => this.#live,
      before: (index: number, life: number, message: Prepare) => options.before?.(index, life, message) ?? [],
      started: (index: number) => this.#beats.begin(index, performance.now()),
      ready: (index: number) => this.#beats.touch(index, performance.now()),
      lost: (index: number, error: string, again: number) => this.#lost(index, error, again),
      event: (index: number, message: FromWorker) => this.#event(index, message),
    }
    for (let i = 0; i < options.count; i++) this.#slots.push(new WorkerSlot(i, owner))
  }

  get count(): number {
    return this.#slots.length
  }

  /** Starts all of them; rejects when one cannot start at all. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#look(performance.now()), LOOK_EVERY_MS)
    this.#timer.unref()
    const started = await Promise.allSettled(this.#slots.map(slot => slot.start()))
    const failed = started.find(result => result.status === "rejected")
    if (failed !== undefined) throw failed.reason
  }

  /** First half of a reload. Problems are those of the first worker that has any: all compile the same config. */
  async prepare(message: Prepare): Promise<readonly ReloadProblem[]> {
    const ready = this.#slots.filter(slot => slot.state === "idle" || slot.state === "live")
    if (ready.length === 0) return [{ message: "no worker is alive", where: "", expected: "" }]
    const answers = await Promise.all(ready.map(slot => slot.prepare(message)))
    return answers.find(problems => problems.length > 0) ?? []
  }

  /** Second half. Workers that come up in the meantime start from this version; one that fails here is replaced. */
  async commit(message: Prepare): Promise<void> {
    this.#live = message
    const ready = this.#slots.filter(slot => slot.state === "idle" || slot.state === "live")
    await Promise.allSettled(ready.map(slot => slot.commit(message.version)))
  }

  discard(version: number): void {
    for (const slot of this.#slots) slot.discard(version)
  }

  /** Tells everybody, and those who come later, a cluster's new addresses. */
  peersChanged(cluster: string, peers: readonly ResolvedPeer[]): void {
    const live = this.#live
    if (live === null) return
    this.#live = { ...live, peers: { ...live.peers, [cluster]: peers } }
    this.broadcast({ type: "peers", cluster, peers }, "live")
  }

  broadcast(message: ToWorker, to: "all" | "live" = "all"): void {
    for (const slot of this.#slots) if (to === "all" || slot.state === "live") slot.post(message)
  }

  /** Has all of them look at certificates and other files now; settles when they have. Messages are taken in their order: who answers has done what was asked before. */
  async lookAtFiles(): Promise<void> {
    this.broadcast({ type: "certificates" })
    await this.heard()
  }

  /** Whether every worker there should be has taken what was sent to it until now. */
  async heard(): Promise<boolean> {
    return (await this.inspect(LOOKED_MS)).every(inspection => inspection !== null)
  }

  /** True when every worker serves. In the milliseconds of a commit some serve the old version and some the new. */
  ready(): boolean {
    return this.#slots.every(slot => slot.state === "live")
  }

  /** Settles when every worker serves; rejects when one does not within a while. */
  async untilReady(): Promise<void> {
    const until = performance.now() + READY_MS
    while (!this.ready()) {
      if (performance.now() > until) throw new Error("a worker does not come up")
      await Bun.sleep(READY_LOOK_MS)
    }
  }

  /** Ends a worker at once, with its connections. It is replaced. False when there is none. */
  terminate(index: number): boolean {
    const slot = this.#slots[index]
    if (slot === undefined || slot.state === "waiting" || slot.state === "stopped") return false
    slot.kill("ended by the operator", true)
    return true
  }

  /** Descriptors of the listening sockets of every worker, for the caller to close. Rejects when a worker does not answer; nothing is lent then. */
  async lend(): Promise<readonly LentSocket[]> {
    const answers = await Promise.allSettled(this.#slots.map(slot => slot.lend(LEND_MS)))
    const lent = answers.flatMap(answer => (answer.status === "fulfilled" ? answer.value : []))
    const failed = answers.find(answer => answer.status === "rejected")
    if (failed === undefined) return lent
    for (const { fd } of lent) closeDescriptor(fd)
    throw failed.reason
  }

  /**
   * Stops accepting and waits. Settles with the exchanges that were cut. Nobody is replaced any more. A second call only shortens the wait.
   * `handed`: addresses whose sockets another process accepts from now.
   */
  drain(timeoutMs: number, handed: readonly string[] = []): Promise<number> {
    if (this.#draining !== null) this.broadcast({ type: "drain", timeoutMs })
    return (this.#draining ??= this.#drain(timeoutMs, handed))
  }

  async #drain(timeoutMs: number, handed: readonly string[]): Promise<number> {
    for (const slot of this.#slots) slot.retire()
    const cut = await Promise.all(this.#slots.map(slot => slot.drain(timeoutMs, DRAIN_PATIENCE_MS, handed)))
    return cut.reduce<number>((sum, n) => sum + (n ?? 0), 0)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    for (const slot of this.#slots) slot.stop()
  }

  inspect(timeoutMs = 500, passesMax = 0): Promise<(WorkerInspection | null)[]> {
    return Promise.all(this.#slots.map(slot => slot.inspect(timeoutMs, passesMax)))
  }

  status(): WorkerStatus[] {
    const now = performance.now()
    return this.#slots.map(slot => ({
      index: slot.index,
      state: slot.state,
      version: slot.version,
      restarts: slot.restarts,
      aliveMs: Math.round(slot.aliveMs),
      heartbeatAgeMs: Math.round(this.#beats.age(slot.index, now)),
      connections: this.#beats.word(slot.index, "connections"),
      exchanges: this.#beats.word(slot.index, "exchanges"),
    }))
  }

  /** The files that the live config follows. */
  files(): FollowedFile[] {
    return this.#files.all
  }

  #look(now: number): void {
    this.#beats.look(now)
    for (const slot of this.#slots) {
      if (slot.state !== "live" && slot.state !== "idle" && slot.state !== "preparing") continue
      if (this.#beats.stalled(slot.index, now, slot.preparing))
        slot.kill(`its event loop has not moved for ${Math.round(this.#beats.age(slot.index, now))} ms`)
    }
  }

  #lost(index: number, error: string, again: number): void {
    this.#options.lost?.(index)
    if (again < 0) return
    this.#options.log.error("a worker ended and is replaced", { worker: index, error, againInMs: again })
  }

  #event(index: number, message: FromWorker): void {
    if (message.type === "log") this.#said.take(index, message.record)
    else if (message.type === "files") this.#files.take(index, message.files)
    else if (message.type === "refreshPeers") this.#options.refreshPeers?.(message.cluster)
    else if (message.type === "wanted") this.#options.wanted?.(message.name)
    else this.#options.log.debug("a worker's late answer", { worker: index, answer: message.type })
  }
}
