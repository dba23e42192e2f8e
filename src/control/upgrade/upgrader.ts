import type { Log } from "../../base/index.ts"
import { canOpenSockets, closeDescriptor } from "../../net/index.ts"
import type { LentSocket } from "../protocol.ts"
import { version } from "../version.ts"
import { layOut } from "./handoff.ts"
import { ownCommand, programProblem } from "./own-command.ts"
import { noticeService } from "./service-notice.ts"
import { Successor, type SuccessorOutcome } from "./successor.ts"

export type UpgradeOutcome =
  | { readonly ok: true; readonly pid: number; readonly version: string; readonly from: { readonly pid: number; readonly version: string } }
  /** `code`: what the new process ended with, as in the exit codes of the command line. */
  | { readonly ok: false; readonly code: number; readonly reason: string }

export interface UpgraderParts {
  /** Duplicates of the workers' listening sockets; closed here. */
  lend(): Promise<readonly LentSocket[]>
  /** The admin listener's socket, null = none; it stays the admin listener's. */
  admin(): LentSocket | null
  ports(): ReadonlyMap<string, number>
  releaseDisks(): Promise<void>
  /** No reload while this runs. */
  hold<T>(work: () => Promise<T>): Promise<T>
  /** Another process serves: leave. */
  handedOver(taken: readonly string[], admin: boolean): void
  /** Nobody took our place, and the disks were let go. */
  failed(disksReleased: boolean): void
  readonly log: Log
}

export const UPGRADE_MS = 60_000

/**
 * Has another process take this one's place: it inherits the listening sockets, and this one leaves when that one serves. Until then nothing here changes.
 *
 *   this process                               the one that takes over
 *     | -- start: sockets, channel ------------> |  load, check, resolve
 *     | <---- disks ---------------------------- |  (only when its config has caches on disk)
 *     | -- disks-free -------------------------> |  open them, workers prepare, workers commit: both accept from the same queues
 *     | <---- ready ---------------------------- |
 *   stop accepting, drain, end
 */
export class Upgrader {
  readonly #parts: UpgraderParts
  #running = false
  #successor: Successor | null = null

  constructor(parts: UpgraderParts) {
    this.#parts = parts
  }

  /** Ends what is under way: this process is about to end itself. */
  cancel(reason: string): void {
    this.#successor?.cancel(reason)
  }

  /** Never rejects. */
  async run(trigger: string, timeoutMs: number): Promise<UpgradeOutcome> {
    const { log } = this.#parts
    const refusal = this.#running ? "an upgrade is under way" : cannot()
    if (refusal !== "") return this.#refused(refusal, 1)
    this.#running = true
    log.info("an upgrade begins", { trigger, command: ownCommand() })
    const start = performance.now()
    try {
      const outcome = await this.#parts.hold(() => this.#attempt(timeoutMs))
      if (!outcome.ok) return this.#refused(outcome.reason, outcome.code)
      log.info("another process serves now", { pid: outcome.pid, version: outcome.version, tookMs: Math.round(performance.now() - start) })
      noticeService(`MAINPID=${outcome.pid}`)
      return { ok: true, pid: outcome.pid, version: outcome.version, from: { pid: process.pid, version } }
    } catch (error) {
      return this.#refused((error as Error).message, 1)
    } finally {
      this.#running = false
      this.#successor = null
    }
  }

  async #attempt(timeoutMs: number): Promise<SuccessorOutcome> {
    const problem = await programProblem()
    if (problem !== "") return { ok: false, code: 1, reason: problem }
    let disksReleased = false
    const releaseDisks = () => {
      disksReleased = true
      return this.#parts.releaseDisks()
    }
    const outcome = await this.#start(timeoutMs, releaseDisks)
    if (outcome.ok) this.#parts.handedOver(outcome.taken, outcome.admin)
    else this.#parts.failed(disksReleased)
    return outcome
  }

  async #start(timeoutMs: number, releaseDisks: () => Promise<void>): Promise<SuccessorOutcome> {
    const lent = await this.#parts.lend()
    try {
      const { fds, text } = layOut(lent, this.#parts.admin(), this.#parts.ports())
      this.#successor = new Successor({ command: ownCommand(), fds, handoff: text, timeoutMs, releaseDisks })
    } finally {
      for (const { fd } of lent) closeDescriptor(fd)
    }
    return this.#successor.outcome
  }

  #refused(reason: string, code: number): UpgradeOutcome {
    this.#parts.log.error("not upgraded; this process serves on", { reason })
    return { ok: false, code, reason }
  }
}

function cannot(): string {
  if (!canOpenSockets) return "listening sockets can be handed over on Linux only"
  if (process.pid === 1)
    return "this is the first process of its container, which ends with it; start a container of the new version beside it instead"
  return ""
}
