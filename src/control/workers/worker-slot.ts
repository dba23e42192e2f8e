import type { MessagePort } from "node:worker_threads"
import type { FromWorker, LentSocket, ReloadProblem, ToWorker, WorkerInspection, WorkerSetup } from "../protocol.ts"
import type { SpawnWorker, WorkerPort } from "./worker-thread.ts"

export type Prepare = Extract<ToWorker, { type: "prepare" }>

/**
 * starting: no answer yet; preparing: on its way to the live version; idle: there is none yet; live: serves;
 * waiting: dead, comes back after the back-off; stopped: for good. Reloads talk only to idle and live ones; a preparing one gets there by itself.
 */
export type SlotState = "starting" | "preparing" | "idle" | "live" | "waiting" | "stopped"

/** What a slot asks of its pool. */
export interface SlotOwner {
  readonly spawn: SpawnWorker
  setup(index: number): WorkerSetup
  /** What a worker that comes up must serve; null before the first commit. */
  live(): Prepare | null
  /** What a thread needs before it can prepare this; `life` counts the threads of this place. */
  before(index: number, life: number, message: Prepare): readonly { message: ToWorker; transfer: readonly MessagePort[] }[]
  /** A thread was started in this place. */
  started(index: number): void
  /** It listens to messages. */
  ready(index: number): void
  /** A thread ended without being asked to; `again` is when the next one starts, in milliseconds. */
  lost(index: number, error: string, again: number): void
  /** Messages that belong to nobody's call. */
  event(index: number, message: FromWorker): void
}

const READY_MS = 15_000
const PREPARE_MS = 60_000
const COMMIT_MS = 10_000
const GONE_MS = 5000
/** A worker that lived this long was healthy: its next restart is at once. */
const HEALTHY_MS = 10_000
const BACKOFF_FIRST_MS = 100
const BACKOFF_MAX_MS = 1000

type Answer = "ready" | "prepared" | "committed" | "drained" | "lent"

/** One place among the workers: the thread in it, its replacement, and the calls that wait for its answers. */
export class WorkerSlot {
  readonly index: number
  readonly #owner: SlotOwner
  #port: WorkerPort | null = null
  #life = 0
  #startedAt = 0
  #quickDeaths = 0
  #timer: ReturnType<typeof setTimeout> | null = null
  #waiting: { answer: Answer; settle: (message: FromWorker | Error) => void } | null = null
  #inspections = new Map<number, (inspection: WorkerInspection | null) => void>()
  #nextId = 1
  #prepared: Prepare | null = null
  #reason = ""
  #wanted = false
  #replace = true
  state: SlotState = "stopped"
  /** Version that this worker serves, 0 = none. */
  version = 0
  restarts = 0
  /** A prepare is under way: silence is allowed for longer. */
  preparing = false

  constructor(index: number, owner: SlotOwner) {
    this.index = index
    this.#owner = owner
  }

  /** Milliseconds since this thread was started. */
  get aliveMs(): number {
    return this.#port === null ? 0 : performance.now() - this.#startedAt
  }

  /** Starts a thread and brings it to what is live. Settles when it serves (or, before the first commit, when it listens); rejects when it died on the way. */
  async start(): Promise<void> {
    const life = ++this.#life
    this.state = "starting"
    this.version = 0
    this.#prepared = null
    this.#reason = ""
    this.#wanted = false
    this.#startedAt = performance.now()
    this.#owner.started(this.index)
    await this.#call("ready", READY_MS, () => this.#spawn(life))
    if (life !== this.#life) throw new Error("replaced while it started")
    // Its first beat is still to come, and the start may have taken longer than a beat may.
    this.#owner.ready(this.index)
    await this.#catchUp()
  }

  #spawn(life: number): void {
    this.#port = this.#owner.spawn(this.#owner.setup(this.index), {
      message: message => {
        if (life === this.#life) this.#take(message)
      },
      ended: error => {
        if (life === this.#life) this.#ended(error)
      },
    })
  }

  /** Prepares and commits until this worker serves what is live; it may change while we are at it. */
  async #catchUp(): Promise<void> {
    this.state = "preparing"
    for (let live = this.#owner.live(); live !== null && this.version !== live.version; live = this.#owner.live()) {
      const problems = await this.prepare(live)
      if (problems.length > 0) {
        this.kill(`it refused version ${live.version}: ${problems[0]!.message}`)
        throw new Error(problems[0]!.message)
      }
      await this.#commit(live)
    }
    this.state = this.version === 0 ? "idle" : "live"
  }

  /** Settles with what is wrong; empty = prepared. A worker that dies over a version has refused it. */
  async prepare(message: Prepare): Promise<readonly ReloadProblem[]> {
    this.preparing = true
    try {
      for (const { message: more, transfer } of this.#owner.before(this.index, this.#life, message)) this.#port?.post(more, transfer)
      const got = await this.#call("prepared", PREPARE_MS, () => this.post(message))
      if (got.type === "refused")
        return got.problems.length > 0 ? got.problems : [{ message: "a worker refused without a reason", where: "", expected: "" }]
      this.#prepared = message
      return []
    } catch (error) {
      return [{ message: `worker ${this.index} ended while it prepared this version: ${(error as Error).message}`, where: "", expected: "" }]
    } finally {
      this.preparing = false
    }
  }

  /** Makes the prepared version live. A worker that does not answer is ended; the replacement starts from what is live. */
  async commit(version: number): Promise<void> {
    const message = this.#prepared
    // it came up after the others had prepared
    if (message?.version !== version) return this.#catchUp()
    await this.#commit(message)
    this.state = "live"
  }

  async #commit(message: Prepare): Promise<void> {
    const { version } = message
    try {
      await this.#call("committed", COMMIT_MS, () => this.post({ type: "commit", version }))
    } catch (error) {
      this.kill(`no answer to commit: ${(error as Error).message}`)
      throw error
    }
    this.version = version
    this.#prepared = null
    this.#sendChangedPeers(message)
  }

  discard(version: number): void {
    if (this.#prepared?.version === version) this.#prepared = null
    this.post({ type: "discard", version })
  }

  /** Addresses may have changed between prepare and commit; the lists are compared by identity. */
  #sendChangedPeers(sent: Prepare): void {
    const live = this.#owner.live()
    if (live === null || live.version !== sent.version) return
    for (const [cluster, peers] of Object.entries(live.peers)) if (sent.peers[cluster] !== peers) this.post({ type: "peers", cluster, peers })
  }

  /** Descriptors of this worker's listening sockets, for the caller to close. Rejects when it does not serve. */
  async lend(timeoutMs: number): Promise<readonly LentSocket[]> {
    if (this.#port === null || this.state !== "live") throw new Error(`worker ${this.index} does not serve`)
    const got = await this.#call("lent", timeoutMs, () => this.post({ type: "lend" }))
    return got.type === "lent" ? got.sockets : []
  }

  /** Settles with the number of exchanges that were cut, or null when the thread did not answer. `handed`: see the protocol's `drain`. */
  async drain(timeoutMs: number, patienceMs: number, handed: readonly string[] = []): Promise<number | null> {
    if (this.#port === null || this.state !== "live") return 0
    try {
      const message = { type: "drain" as const, timeoutMs, ...(handed.length === 0 ? {} : { handed }) }
      const got = await this.#call("drained", timeoutMs + patienceMs, () => this.post(message))
      return got.type === "drained" ? got.cut : null
    } catch {
      return null
    }
  }

  inspect(timeoutMs: number, passesMax = 0): Promise<WorkerInspection | null> {
    if (this.#port === null) return Promise.resolve(null)
    const id = this.#nextId++
    return new Promise(resolve => {
      const settle = (inspection: WorkerInspection | null) => {
        clearTimeout(timer)
        this.#inspections.delete(id)
        resolve(inspection)
      }
      const timer = setTimeout(settle, timeoutMs, null)
      this.#inspections.set(id, settle)
      this.post({ type: "inspect", id, passesMax })
    })
  }

  post(message: ToWorker): void {
    this.#port?.post(message)
  }

  /** Ends the thread; a replacement follows. `wanted`: somebody asked for it, so it says nothing about the thread's health. */
  kill(reason: string, wanted = false): void {
    if (this.#port === null) return
    if (this.#reason === "") this.#reason = reason
    this.#wanted ||= wanted
    this.#port.terminate()
    // should the runtime never tell of the end, the place must not stay empty
    const life = this.#life
    setTimeout(() => {
      if (life === this.#life) this.#ended("")
    }, GONE_MS).unref()
  }

  /** From now on a thread that ends is not replaced. */
  retire(): void {
    this.#replace = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** Ends the thread for good. */
  stop(): void {
    this.retire()
    const port = this.#port
    this.#life++
    this.#port = null
    this.state = "stopped"
    this.#fail(new Error("stopped"))
    port?.terminate()
  }

  /** Sends and waits for the one answer. A thread that owes an answer is ended, except in a drain, whose owner ends it anyway, and when it lends. */
  #call(answer: Answer, timeoutMs: number, send: () => void): Promise<FromWorker> {
    this.#waiting?.settle(new Error("another call took its place"))
    return new Promise((resolve, reject) => {
      const settle = (message: FromWorker | Error) => {
        clearTimeout(timer)
        this.#waiting = null
        if (message instanceof Error) reject(message)
        else resolve(message)
      }
      const timer = setTimeout(() => {
        settle(new Error(`no "${answer}" within ${timeoutMs} ms`))
        if (answer !== "drained" && answer !== "lent") this.kill(`no "${answer}" within ${timeoutMs} ms`)
      }, timeoutMs)
      this.#waiting = { answer, settle }
      try {
        send()
      } catch (error) {
        settle(error as Error)
      }
    })
  }

  #take(message: FromWorker): void {
    if (message.type === "inspected") {
      const { type: _type, id, ...inspection } = message
      return this.#inspections.get(id)?.(inspection)
    }
    if (message.type === "log") return this.#owner.event(this.index, message)
    if (message.type === "fatal") return this.kill(message.error)
    const waiting = this.#waiting
    if (waiting !== null && (message.type === waiting.answer || (message.type === "refused" && waiting.answer === "prepared")))
      return waiting.settle(message)
    this.#owner.event(this.index, message)
  }

  #fail(error: Error): void {
    this.#waiting?.settle(error)
    for (const settle of [...this.#inspections.values()]) settle(null)
  }

  #ended(error: string): void {
    const lived = performance.now() - this.#startedAt
    const reason = error !== "" ? error : this.#reason !== "" ? this.#reason : "it ended by itself"
    this.#life++
    this.#port = null
    this.version = 0
    this.state = this.#replace ? "waiting" : "stopped"
    this.#fail(new Error(reason))
    if (!this.#replace) return this.#owner.lost(this.index, reason, -1)
    this.#quickDeaths = lived > HEALTHY_MS || this.#wanted ? 0 : this.#quickDeaths + 1
    const again = this.#quickDeaths <= 1 ? 0 : Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (this.#quickDeaths - 2))
    this.restarts++
    this.#owner.lost(this.index, reason, again)
    this.#timer = setTimeout(() => {
      this.#timer = null
      // a death on the way up comes back here through `ended`
      this.start().catch(() => {})
    }, again)
  }
}
