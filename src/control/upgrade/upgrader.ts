import type { Log } from "../../base/index.ts"
import { canOpenSockets, closeDescriptor } from "../../net/index.ts"
import { version } from "../version.ts"
import { type Estate, layOut } from "./handoff.ts"
import { ownCommand, programProblem } from "./own-command.ts"
import { noticeService } from "./service-notice.ts"
import { Successor, type SuccessorOutcome } from "./successor.ts"

export type UpgradeOutcome =
  | { readonly ok: true; readonly pid: number; readonly version: string; readonly from: { readonly pid: number; readonly version: string } }
  /** `code`: what the new process ended with, as in the exit codes of the command line. */
  | { readonly ok: false; readonly code: number; readonly reason: string }

export interface UpgraderParts {
  /** What there is to hand over. The workers' sockets are duplicates, closed here; the admin listener's stays its own. */
  estate(): Promise<Estate>
  /** No reload while this runs. */
  hold<T>(work: () => Promise<T>): Promise<T>
  /** Another process serves: leave. Settles when the disks are free. */
  handedOver(taken: readonly string[], admin: boolean): Promise<void>
  readonly log: Log
}

export const UPGRADE_MS = 60_000

/**
 * Has another process take this one's place: it inherits the listening sockets, and this one leaves when that one serves. Until then nothing here changes.
 *
 *   this process                               the one that takes over
 *     | -- start: sockets, channel ------------> |  load, check, resolve, workers prepare
 *     |                                          |  workers commit: both accept from the same queues
 *     | <---- ready ---------------------------- |
 *   stop accepting, write no more to disks       |  serves, without the disks that the other one has
 *     | -- channel closed ---------------------> |  opens them
 *   drain, end
 */
export class Upgrader {
  readonly #parts: UpgraderParts
  #running = false
  #successor: Successor | null = null
  #cancelled = ""

  constructor(parts: UpgraderParts) {
    this.#parts = parts
  }

  /** Ends what is under way: this process is about to end itself. */
  cancel(reason: string): void {
    this.#cancelled = reason
    this.#successor?.cancel(reason)
  }

  /** Never rejects. `unwilling`: why it cannot be now; "" = it can. */
  async run(trigger: string, timeoutMs: number, unwilling = ""): Promise<UpgradeOutcome> {
    const { log } = this.#parts
    const refusal = unwilling || (this.#running ? "an upgrade is under way" : cannot())
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
    const successor = await this.#start(timeoutMs)
    const outcome = await successor.outcome
    if (outcome.ok) void this.#parts.handedOver(outcome.taken, outcome.admin).finally(() => successor.letGo())
    else successor.letGo()
    return outcome
  }

  async #start(timeoutMs: number): Promise<Successor> {
    const estate = await this.#parts.estate()
    try {
      if (this.#cancelled !== "") throw new Error(this.#cancelled)
      const { fds, text } = layOut(estate)
      this.#successor = new Successor({ command: ownCommand(), fds, handoff: text, timeoutMs })
      return this.#successor
    } finally {
      for (const { fd } of estate.sockets) closeDescriptor(fd)
    }
  }

  #refused(reason: string, code: number): UpgradeOutcome {
    this.#parts.log.error("not upgraded", { reason })
    return { ok: false, code, reason }
  }
}

function cannot(): string {
  if (!canOpenSockets) return "listening sockets can be handed over on Linux only"
  if (process.pid === 1)
    return "this is the first process of its container, which ends with it; start a container of the new version beside it instead"
  return ""
}
