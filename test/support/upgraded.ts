import { type Bothways, type BothwaysOptions, startBothways } from "./bothways.ts"
import { pause, until } from "./wait.ts"

export interface UpgradeReply {
  readonly ok: boolean
  readonly pid?: number
  readonly code?: number
  readonly reason?: string
}

/** A program under test that others take over from; the last of them ends with the test. */
export class Upgraded implements AsyncDisposable {
  readonly first: Bothways
  /** Of the process that serves. */
  pid: number
  private readonly pids = new Set<number>()

  static async start(config: string | object, options: BothwaysOptions = {}): Promise<Upgraded> {
    return new Upgraded(await startBothways(config, options))
  }

  private constructor(first: Bothways) {
    this.first = first
    this.pid = first.pid
    this.pids.add(first.pid)
  }

  /** POST /upgrade, and who answers for the program afterwards. */
  async upgrade(query = ""): Promise<UpgradeReply> {
    const answer = await this.first.ask(`/upgrade${query}`, { method: "POST", headers: { "X-Bothways": "1" } })
    const reply = (await answer.json()) as UpgradeReply
    if (reply.ok) this.tookOver(reply.pid!)
    return reply
  }

  tookOver(pid: number): void {
    this.pid = pid
    this.pids.add(pid)
  }

  async status(): Promise<{ pid: number; version: string; connections: number; workers: unknown[] }> {
    return (await this.first.ask("/status")).json() as never
  }

  /** Every process but the one that serves has ended. */
  async othersEnded(ms = 10_000): Promise<void> {
    await until(() => [...this.pids].every(pid => pid === this.pid || !isAlive(pid)), ms, "the end of the old processes")
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.pids) signal(pid, "SIGTERM")
    const until = performance.now() + 3000
    while ([...this.pids].some(isAlive) && performance.now() < until) await pause(20)
    for (const pid of this.pids) signal(pid, "SIGKILL")
    await this.first.stop()
  }
}

/** One that has ended and that nobody has asked for yet is not alive. */
function isAlive(pid: number): boolean {
  return signal(pid, 0)
}

function signal(pid: number, what: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, what)
    return true
  } catch {
    return false
  }
}
