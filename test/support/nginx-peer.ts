import { readFileSync } from "node:fs"
import { startNginx } from "./peers.ts"
import type { Program } from "./processes.ts"
import { until } from "./wait.ts"

/** An nginx that can be killed as a machine is: at once, with what it was doing. */
export class NginxPeer implements AsyncDisposable {
  readonly port: number
  private program: Program | null = null

  private readonly http2: boolean

  /** `http2`: by prior knowledge, and nothing else; answers have no body, so that none is killed between head and body, when it is too late for another attempt. */
  constructor(port: number, { http2 = false } = {}) {
    this.port = port
    this.http2 = http2
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  async start(): Promise<this> {
    const server = `server { listen ${this.address}${this.http2 ? " http2" : ""} backlog=4096; location / { return ${this.http2 ? "204" : `200 "from ${this.port}"`}; } }`
    this.program = await startNginx(this.port, `keepalive_requests 1000000;\n${server}`)
    return this
  }

  /** Ends the master first, which would replace its workers. */
  async kill(): Promise<void> {
    const program = this.program!
    const workers = childrenOf(program.pid)
    program.signal("SIGKILL")
    for (const pid of workers) process.kill(pid, "SIGKILL")
    await program.exit()
    await until(() => workers.every(pid => stateOf(pid) !== "running"), undefined, "the end of nginx's workers")
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.program?.hasExited === false) await this.kill()
  }
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number)
}

/** An orphan may stay in the table until somebody takes note of its end. */
function stateOf(pid: number): "running" | "over" {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8")) ? "over" : "running"
  } catch {
    return "over"
  }
}
