import { Agent, createServer, request, type IncomingHttpHeaders, type Server } from "node:http"
import type { AddressInfo } from "node:net"

/** An HTTP server that answers every request with its address; as many as a test needs, to see which one was chosen. */
export class TellingPeer implements AsyncDisposable {
  private server: Server | null = null
  port = 0
  /** Cookie fields that came, "" = none. */
  cookies: string[] = []
  requests = 0

  async start(port = 0): Promise<this> {
    const server = createServer((incoming, answer) => {
      this.requests++
      this.cookies.push(incoming.headers.cookie ?? "")
      incoming.resume()
      answer.writeHead(200, { "Content-Type": "text/plain", "Cache-Control": "max-age=60" }).end(this.address)
    })
    server.keepAliveTimeout = 60_000
    await new Promise<void>(resolve => server.listen(port, "127.0.0.1", resolve))
    this.server = server
    this.port = (server.address() as AddressInfo).port
    return this
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Gone at once, with its connections. */
  async stop(): Promise<void> {
    const { server } = this
    this.server = null
    if (server === null) return
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

export async function tellingPeers(count: number): Promise<TellingPeer[]> {
  return Promise.all(Array.from({ length: count }, () => new TellingPeer().start()))
}

export interface Told {
  readonly status: number
  readonly body: string
  readonly headers: IncomingHttpHeaders
}

/** One request over a connection of `agent`; rejects when there is no whole answer. */
export function ask(port: number, path: string, headers: Record<string, string>, agent: Agent): Promise<Told> {
  return new Promise((resolve, reject) => {
    const out = request({ host: "127.0.0.1", port, path, headers, agent }, answer => {
      let body = ""
      answer.on("data", chunk => (body += String(chunk)))
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body, headers: answer.headers }))
      answer.on("error", reject)
    })
    out.on("error", reject)
    out.end()
  })
}

/** Clients that ask again and again over kept connections and count what they get. */
export class Load implements AsyncDisposable {
  readonly failures: string[] = []
  private readonly agent: Agent
  private readonly running: Promise<unknown>
  private tally = new Map<string, number>()
  private over = false

  constructor(port: number, clients: number) {
    this.agent = new Agent({ keepAlive: true, maxSockets: clients })
    this.running = Promise.all(Array.from({ length: clients }, () => this.client(port)))
  }

  private async client(port: number): Promise<void> {
    while (!this.over) {
      try {
        const { status, body } = await ask(port, "/", {}, this.agent)
        if (status === 200) this.tally.set(body, (this.tally.get(body) ?? 0) + 1)
        else this.failures.push(`${status} ${body}`)
      } catch (error) {
        this.failures.push(String(error))
      }
    }
  }

  get answered(): number {
    return [...this.tally.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Counts from here until there are `count` answers, and gives each address's share. */
  async shares(count: number): Promise<Record<string, number>> {
    this.tally = new Map()
    while (this.answered < count && this.failures.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
    const all = this.answered
    return Object.fromEntries([...this.tally].map(([address, got]) => [address, got / all]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.over = true
    await this.running
    this.agent.destroy()
  }
}
