import { performance } from "node:perf_hooks"
import { type RawClientOptions, rawClient } from "../../support/raw-client.ts"
import { pause } from "../../support/wait.ts"

/** What an attack may cost those who do nothing wrong, on two cores that it shares with the attacker. */
const ANSWER_MS_MAX = 1500

export interface HonestOptions {
  /** Local address to come from. */
  readonly from?: string
  readonly path?: string
  readonly tls?: boolean
  readonly everyMs?: number
}

/** Somebody who asks every 50 ms, over a connection of their own each time, while others attack; stops with `await using` or `stop`, which fails when anything was amiss. */
export class HonestClient implements AsyncDisposable {
  asked = 0
  slowestMs = 0
  private readonly wrong: string[] = []
  private over = false
  private readonly running: Promise<void>

  constructor(port: number, options: HonestOptions = {}) {
    this.running = this.run(port, options)
  }

  private async run(port: number, { from, path = "/", tls = false, everyMs = 50 }: HonestOptions): Promise<void> {
    while (!this.over) {
      const startedAt = performance.now()
      await this.ask(port, path, { ...(from !== undefined && { from }), ...(tls && { tls: { servername: "a.test" } }) }).catch(
        error => void this.wrong.push(String(error)),
      )
      const ms = performance.now() - startedAt
      this.asked++
      this.slowestMs = Math.max(this.slowestMs, ms)
      await pause(Math.max(0, everyMs - ms))
    }
  }

  private async ask(port: number, path: string, options: RawClientOptions): Promise<void> {
    using client = await rawClient(port, options)
    client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
    const { status } = await client.response()
    if (status !== 200) this.wrong.push(`answered with ${status}`)
  }

  /** Fails unless every answer came, and in time. */
  async stop(): Promise<void> {
    this.over = true
    await this.running
    if (this.wrong.length > 0) throw new Error(`${this.wrong.length} of ${this.asked} requests went wrong: ${this.wrong[0]}`)
    if (this.slowestMs > ANSWER_MS_MAX) throw new Error(`an answer took ${Math.round(this.slowestMs)} ms`)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}
