import type { Log } from "../../base/index.ts"
import type { PeerStates, Timers } from "../../upstream/index.ts"

/** A peer that is being left, or has been. */
export interface Drain {
  readonly cluster: string
  readonly peer: string
  readonly slot: number
  /** Milliseconds of the epoch. */
  readonly startedAt: number
  /** When what is still under way is cut. */
  readonly until: number
  /** Clients that have a session there may still come. */
  readonly sessions: boolean
  readonly state: "draining" | "drained"
  /** What was under way at the end of the time: it was cut. */
  readonly cut: number
}

export interface DrainOptions {
  readonly timeoutMs: number
  readonly sessions: boolean
}

export interface DrainsParts {
  readonly states: PeerStates
  readonly log: Log
  readonly timers: Timers
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Word to the workers: idle connections close, and with `cut` what is under way ends. */
  readonly leave: (cluster: string, slot: number, cut: boolean) => void
}

interface Running {
  readonly drain: { -readonly [K in keyof Drain]: Drain[K] }
  readonly done: () => void
  /** The time is over and workers were told; what is left after this is not waited for. */
  cutAt: number
}

const LOOK_MS = 50
/** Requests of sessions that came in the last moment of the time have this long to end. */
const LAST_REQUESTS_MS = 10_000
const CUT_PATIENCE_MS = 2000

/** Waits until nothing is under way at peers that are to be left, up to a limit; then cuts. The draining bit is in the shared states: workers see it at once. */
export class Drains {
  readonly #parts: DrainsParts
  readonly #running = new Map<number, Running>()
  readonly #ended = new Map<number, Drain>()
  #stopLooking: (() => void) | null = null

  constructor(parts: DrainsParts) {
    this.#parts = parts
  }

  /** How it stands with a peer, undefined = nobody drained it in this run. */
  of(slot: number): Drain | undefined {
    return this.#running.get(slot)?.drain ?? this.#ended.get(slot)
  }

  /** Begins, or gives one that runs another limit. `done` is called at the end, not when it is called off. */
  begin(peer: { cluster: string; peer: string; slot: number }, { timeoutMs, sessions }: DrainOptions, done: () => void = () => {}): void {
    const { states, log, leave } = this.#parts
    const now = this.#parts.now()
    const before = this.#running.get(peer.slot)?.drain
    states.setDraining(peer.slot, true, sessions)
    const drain: Running["drain"] = { ...peer, startedAt: before?.startedAt ?? now, until: now + timeoutMs, sessions, state: "draining", cut: 0 }
    this.#ended.delete(peer.slot)
    this.#running.set(peer.slot, { drain, done, cutAt: 0 })
    log.info("a peer drains", { cluster: peer.cluster, peer: peer.peer, inFlight: states.inFlight(peer.slot), limitMs: timeoutMs, sessions })
    leave(peer.cluster, peer.slot, false)
    this.#lookSoon()
  }

  /** It takes requests again, or is gone. */
  forget(slot: number): void {
    this.#running.delete(slot)
    this.#ended.delete(slot)
  }

  stop(): void {
    this.#running.clear()
    this.#stopLooking?.()
    this.#stopLooking = null
  }

  /** Not at once: a worker may be about to send what it chose a moment ago. */
  #lookSoon(): void {
    this.#stopLooking ??= this.#parts.timers.after(LOOK_MS, () => {
      this.#stopLooking = null
      for (const running of [...this.#running.values()]) this.#lookAt(running)
      if (this.#running.size > 0) this.#lookSoon()
    })
  }

  #lookAt(running: Running): void {
    const { drain } = running
    const { states } = this.#parts
    const now = this.#parts.now()
    if (drain.sessions) {
      if (now < drain.until) return
      drain.sessions = false
      drain.until = now + LAST_REQUESTS_MS
      states.setDraining(drain.slot, true)
      this.#parts.leave(drain.cluster, drain.slot, false)
    }
    const inFlight = states.inFlight(drain.slot)
    if (inFlight === 0 || (running.cutAt > 0 && now >= running.cutAt + CUT_PATIENCE_MS)) return this.#end(running)
    if (now < drain.until || running.cutAt > 0) return
    drain.cut = inFlight
    running.cutAt = now
    this.#parts.leave(drain.cluster, drain.slot, true)
  }

  #end({ drain, done }: Running): void {
    drain.state = "drained"
    this.#running.delete(drain.slot)
    this.#ended.set(drain.slot, drain)
    // Sessions may have left connections that wait for a next request.
    this.#parts.leave(drain.cluster, drain.slot, false)
    const { cluster, peer, cut, startedAt } = drain
    const say = cut > 0 ? this.#parts.log.warn : this.#parts.log.info
    say("a peer is drained", { cluster, peer, tookMs: this.#parts.now() - startedAt, cut })
    done()
  }
}
