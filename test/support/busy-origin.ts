import type { Message } from "./message.ts"
import type { RawSocket } from "./raw-socket.ts"
import { rawClient } from "./raw-client.ts"
import { type ScriptedServer, scriptedServer } from "./scripted-server.ts"
import { pause } from "./wait.ts"

/** What an origin does with a request: answers with this status after so long; null = never. */
export type Doing = { readonly status: number; readonly afterMs: number } | null

/** An upstream that takes its time, and counts how many requests it worked on at the same time. */
export class BusyOrigin implements AsyncDisposable {
  server!: ScriptedServer
  now = 0
  most = 0
  count = 0
  /** Paths in the order in which they came. */
  readonly paths: string[] = []
  does: (request: Message, atOnce: number) => Doing = () => ({ status: 200, afterMs: 0 })

  async start(does: BusyOrigin["does"]): Promise<this> {
    this.does = does
    this.server = await scriptedServer(connection => this.play(connection))
    return this
  }

  get address(): string {
    return this.server.address
  }

  private async play(connection: RawSocket): Promise<void> {
    for (;;) {
      const request = await connection.request(3_600_000)
      this.count++
      this.most = Math.max(this.most, ++this.now)
      this.paths.push(request.start.split(" ")[1]!)
      const doing = this.does(request, this.now)
      try {
        if (doing === null) {
          await connection.toEnd(3_600_000)
          return
        }
        if (doing.afterMs > 0) await pause(doing.afterMs)
      } finally {
        this.now--
      }
      connection.send(`HTTP/1.1 ${doing.status} X\r\nContent-Length: 2\r\n\r\nok`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close().catch(() => {})
  }
}

export interface Asked {
  readonly status: number
  readonly tookMs: number
  readonly fault: string
  readonly retryAfter: string
}

/** One request over a connection of its own. */
export async function ask(port: number, path = "/", { headers = "", method = "GET", ms = 15_000 } = {}): Promise<Asked> {
  const client = await rawClient(port)
  try {
    const from = performance.now()
    client.send(`${method} ${path} HTTP/1.1\r\nHost: app.test\r\n${headers}${method === "POST" ? "Content-Length: 0\r\n" : ""}\r\n`)
    const { status, body, fields } = await client.response(method, ms)
    return { status, tookMs: performance.now() - from, fault: /fault: (\S+)/.exec(body)?.[1] ?? "", retryAfter: fields["retry-after"] ?? "" }
  } finally {
    client.destroy()
  }
}
