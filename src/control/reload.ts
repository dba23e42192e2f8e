import type { Log } from "../base/index.ts"
import { type Config, diffConfig, formatDiff } from "../config/index.ts"
import type { PeersByCluster, ReloadProblem } from "./protocol.ts"
import type { Prepare } from "./workers/worker-slot.ts"

/** A config that was read and checked, and is not live yet. */
export interface Candidate {
  readonly config: Config
  /** Path of a TypeScript config, else null. */
  readonly file: string | null
  /** Paths in the config are relative to it. */
  readonly baseDir: string
  readonly warnings: readonly ReloadProblem[]
}

export type LoadOutcome = { readonly candidate: Candidate } | { readonly problems: readonly ReloadProblem[] }

/** What a candidate needs before workers can have it: ports, peers, metrics. `undo` gives it all back. */
export interface Staged {
  readonly problems: readonly ReloadProblem[]
  readonly peers: PeersByCluster
  readonly clusterSlots: Readonly<Record<string, number>>
  readonly limits: Prepare["limits"]
  readonly caches: Prepare["caches"]
  readonly zones: Prepare["zones"]
  readonly layout: Prepare["layout"]
  /** The candidate is live: what only the old one used can go. */
  commit(): void | Promise<void>
  undo(): void
}

export interface ReloadParts {
  load(): Promise<LoadOutcome>
  stage(candidate: Candidate, version: number): Promise<Staged>
  readonly workers: {
    prepare(message: Prepare): Promise<readonly ReloadProblem[]>
    commit(message: Prepare): Promise<void>
    discard(version: number): void
  }
  /** The same config was loaded again: certificates and the like are read anew. */
  refresh(): void
  /** Told once a run, however many asked for it. */
  finished(outcome: ReloadOutcome): void
  readonly log: Log
}

export type ReloadOutcome =
  | {
      readonly ok: true
      readonly version: number
      readonly changed: boolean
      /** In short: `listeners: +web; clusters: ~shop`. */
      readonly changes: string
      readonly warnings: readonly ReloadProblem[]
    }
  | { readonly ok: false; readonly version: number; readonly problems: readonly ReloadProblem[] }

export interface ReloadRecord {
  /** Who asked: `SIGHUP`; of those that shared the run all, `file change, SIGHUP`. */
  readonly trigger: string
  /** Milliseconds of the epoch. */
  readonly at: number
  readonly tookMs: number
  readonly outcome: ReloadOutcome
}

/**
 * The two-phase reload. Either every worker serves the new config or nobody does.
 *
 *   load → stage → prepare on all ─ all prepared → commit on all → stage.commit
 *     │      │          └ one refused → discard on all → stage.undo ┐
 *     └──────┴───────────── problems ──────────────────────────────┴→ the old config stays
 *
 * One runs at a time. Requests that come meanwhile share the next run, which reads the config after they asked.
 */
export class Reloader {
  readonly #parts: ReloadParts
  #version = 0
  #liveVersion = 0
  #live: Candidate | null = null
  #committedAt = 0
  #last: ReloadRecord | null = null
  #running: Promise<unknown> | null = null
  #next: Promise<ReloadOutcome> | null = null
  readonly #waiting = new Set<string>()
  #closed = ""
  #anew = false

  constructor(parts: ReloadParts) {
    this.#parts = parts
  }

  get live(): Candidate | null {
    return this.#live
  }

  /** Version of the live config, 0 = none; rises with each attempt that workers saw. */
  get version(): number {
    return this.#liveVersion
  }

  /** Milliseconds of the epoch, 0 = never. */
  get committedAt(): number {
    return this.#committedAt
  }

  get last(): ReloadRecord | null {
    return this.#last
  }

  /** Refuses everything from now on, with this reason. */
  close(reason: string): void {
    this.#closed = reason
  }

  /** Never rejects. `trigger` says who asked, for the log and the status. `anew`: also a config that has not changed is given out again. */
  request(trigger: string, anew = false): Promise<ReloadOutcome> {
    this.#anew ||= anew
    if (this.#running === null) return this.#run(trigger)
    this.#waiting.add(trigger)
    this.#next ??= this.#running.then(() => {
      this.#next = null
      const triggers = [...this.#waiting].join(", ")
      this.#waiting.clear()
      return this.#run(triggers)
    })
    return this.#next
  }

  /** Does something else while no reload is under way; who asks for one meanwhile waits. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    while (this.#running !== null) await this.#running
    const done = work()
    this.#running = done.then(
      () => void (this.#running = null),
      () => void (this.#running = null),
    )
    return done
  }

  #run(trigger: string): Promise<ReloadOutcome> {
    const at = Date.now()
    const start = performance.now()
    const running = this.#attempt()
      .catch((error: unknown) =>
        this.#refused([{ message: `the reload failed: ${(error as Error).stack ?? String(error)}`, where: "", expected: "" }]),
      )
      .then(outcome => {
        this.#running = null
        this.#last = { trigger, at, tookMs: Math.round(performance.now() - start), outcome }
        this.#report(this.#last)
        this.#parts.finished(outcome)
        return outcome
      })
    this.#running = running
    return running
  }

  async #attempt(): Promise<ReloadOutcome> {
    if (this.#closed !== "") return this.#refused([{ message: this.#closed, where: "", expected: "" }])
    const loaded = await this.#parts.load()
    if ("problems" in loaded) return this.#refused(loaded.problems)
    const { candidate } = loaded
    const changes = this.#changes(candidate)
    const anew = this.#anew
    this.#anew = false
    if (changes === "" && !anew) {
      this.#parts.refresh()
      return { ok: true, version: this.version, changed: false, changes, warnings: candidate.warnings }
    }
    const version = ++this.#version
    const staged = await this.#parts.stage(candidate, version)
    const problems = staged.problems.length > 0 ? staged.problems : await this.#hand(candidate, version, staged)
    if (problems.length > 0) {
      staged.undo()
      return this.#refused(problems)
    }
    this.#live = candidate
    this.#liveVersion = version
    this.#committedAt = Date.now()
    await staged.commit()
    return { ok: true, version, changed: true, changes, warnings: candidate.warnings }
  }

  async #hand(candidate: Candidate, version: number, staged: Staged): Promise<readonly ReloadProblem[]> {
    const { file, baseDir } = candidate
    const { peers, clusterSlots, limits, caches, zones, layout } = staged
    const message: Prepare = {
      type: "prepare",
      version,
      config: file === null ? candidate.config : postable(candidate.config),
      file,
      baseDir,
      peers,
      clusterSlots,
      limits,
      caches,
      zones,
      layout,
    }
    const problems = await this.#parts.workers.prepare(message)
    const late = problems.length === 0 && this.#closed !== "" ? [{ message: this.#closed, where: "", expected: "" }] : problems
    if (late.length > 0) this.#parts.workers.discard(version)
    else await this.#parts.workers.commit(message)
    return late
  }

  /** What a candidate changes, "" = nothing. Functions of a script are equal only to themselves, so loading it again is a change. */
  #changes(candidate: Candidate): string {
    if (this.#live === null) return "the first config"
    const diff = diffConfig(this.#live.config, candidate.config)
    if (!diff.same) return formatDiff(diff)
    return candidate.file !== null || this.#live.baseDir !== candidate.baseDir ? "script" : ""
  }

  #refused(problems: readonly ReloadProblem[]): ReloadOutcome {
    return { ok: false, version: this.version, problems }
  }

  #report(record: ReloadRecord): void {
    const { log } = this.#parts
    const { outcome, trigger, tookMs } = record
    if (outcome.ok && outcome.changed) log.info("config is live", { version: outcome.version, trigger, tookMs, changes: outcome.changes })
    else if (outcome.ok) log.info("config is unchanged; certificates were read again", { version: outcome.version, trigger })
    // at the start whoever started it tells
    else if (outcome.version > 0) log.error("config refused; the old one stays", { trigger, problems: outcome.problems.map(describeProblem) })
  }
}

/** The same with null for each function, because those cannot be posted; the worker has its own. */
function postable<T>(value: T): T {
  if (typeof value === "function") return null as T
  if (Array.isArray(value)) return value.map(postable) as T
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, postable(item)])) as T
}

/** One line: where, what, and what would be right. */
export function describeProblem(problem: ReloadProblem): string {
  const where = problem.where === "" ? "" : `${problem.where}: `
  return problem.expected === "" ? where + problem.message : `${where}${problem.message}; expected ${problem.expected}`
}
