import type { ClientRequest, IncomingMessage } from "node:http"
import type { Sender } from "./destination.ts"
import type { Asked } from "./most-asked.ts"

/** A whole answer, or why there was none. */
export type Outcome = { readonly status: number; readonly cacheStatus: string; readonly octets: number } | { readonly failure: string }

/** One GET under way. */
export class Fetch {
  readonly outcome: Promise<Outcome>
  private readonly request: ClientRequest
  private readonly resolve: (outcome: Outcome) => void
  private readonly timer: NodeJS.Timeout
  private octets = 0

  /** Begins. The body is read and dropped; after `silenceMs` without a sign the request has failed. */
  constructor(sender: Sender, asked: Asked, silenceMs: number) {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    this.outcome = promise
    this.resolve = resolve
    this.timer = setTimeout(() => this.cancel(`silent for ${silenceMs} ms`), silenceMs)
    this.request = sender.get(asked, response => this.read(response))
    this.request.on("error", error => this.fail(reasonOf(error)))
    this.request.on("close", () => this.fail("ended too early"))
    this.request.end()
  }

  /** Ends it; what it had so far is forgotten. */
  cancel(reason: string): void {
    this.fail(reason)
    this.request.destroy()
  }

  private read(response: IncomingMessage): void {
    response.on("data", (chunk: Buffer) => {
      this.octets += chunk.length
      this.timer.refresh()
    })
    response.on("end", () => {
      if (!response.complete) return this.fail("ended too early")
      const cacheStatus = [response.headers["cache-status"] ?? ""].flat().join(", ")
      this.end({ status: response.statusCode ?? 0, cacheStatus, octets: this.octets })
    })
    response.on("error", error => this.fail(reasonOf(error)))
    response.on("close", () => this.fail("ended too early"))
  }

  private fail(failure: string): void {
    this.end({ failure })
  }

  /** The first end counts. */
  private end(outcome: Outcome): void {
    clearTimeout(this.timer)
    this.resolve(outcome)
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  return error.code === undefined ? error.message : error.code
}
