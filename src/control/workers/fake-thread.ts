import { type FromWorker, HEARTBEAT, HEARTBEAT_WORDS, type ToWorker, type WorkerSetup } from "../protocol.ts"
import type { Prepare } from "./worker-slot.ts"
import type { WorkerEvents } from "./worker-thread.ts"

/** What a fake thread does differently. */
export interface Behaviour {
  dieAtStart?: () => boolean
  /** How long its modules take; it beats from then on. */
  startMs?: number
  /** True = say nothing to this message. */
  silent?: (message: ToWorker, thread: FakeThread) => boolean
  /** What to answer to a prepare, null = the usual. */
  refuse?: (message: Prepare, thread: FakeThread) => FromWorker | null
}

/** For tests: a thread that does what it is told, on the next turn of the event loop, and writes down what that was. */
export class FakeThread {
  readonly got: ToWorker[] = []
  readonly index: number
  readonly #events: WorkerEvents
  readonly #beat: ReturnType<typeof setInterval>
  readonly #behave: Behaviour
  alive = true
  hung = false

  constructor(setup: WorkerSetup, events: WorkerEvents, behave: Behaviour) {
    this.index = setup.index
    this.#events = events
    this.#behave = behave
    const words = new Int32Array(setup.shared.heartbeat)
    const { startMs = 0 } = behave
    const born = performance.now()
    this.#beat = setInterval(() => {
      if (!this.hung && performance.now() - born > startMs) Atomics.add(words, setup.index * HEARTBEAT_WORDS + HEARTBEAT.beat, 1)
    }, 10)
    if (behave.dieAtStart?.() === true) this.say(() => this.die("died at start"))
    else setTimeout(() => this.say({ type: "ready" }), startMs)
  }

  say(what: FromWorker | (() => void)): void {
    setTimeout(() => {
      if (!this.alive) return
      if (typeof what === "function") what()
      else this.#events.message(what)
    }, 1)
  }

  die(error: string): void {
    if (!this.alive) return
    this.alive = false
    clearInterval(this.#beat)
    setTimeout(() => this.#events.ended(error), 0)
  }

  readonly port = {
    post: (message: ToWorker) => {
      this.got.push(message)
      if (this.#behave.silent?.(message, this) === true) return
      if (message.type === "prepare") this.say(this.#behave.refuse?.(message, this) ?? { type: "prepared", version: message.version })
      else if (message.type === "commit") this.say({ type: "committed", version: message.version })
      else if (message.type === "lend") this.say({ type: "lent", sockets: [{ bind: ":80", fd: 1_000_000 + this.index }] })
      else if (message.type === "drain") this.say({ type: "drained", cut: this.index })
      else if (message.type === "inspect")
        this.say({
          type: "inspected",
          id: message.id,
          connections: {},
          exchanges: this.index,
          tunnels: 0,
          pools: {},
          heapBytes: 1,
          snapshots: [],
          passes: {},
        })
    },
    terminate: () => this.die(""),
  }
}
