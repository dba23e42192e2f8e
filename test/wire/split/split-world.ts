import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"

export type Answerer = (request: IncomingMessage, response: ServerResponse) => void

/** A version of a service: answers with its name unless told otherwise. */
export class Version implements AsyncDisposable {
  requests = 0
  /** Cookie fields that came. */
  readonly cookies: string[] = []
  answer: Answerer
  readonly name: string
  private readonly server: Server

  private constructor(name: string) {
    this.name = name
    this.answer = (_, response) => void response.writeHead(200, { "Content-Type": "text/plain", "Cache-Control": "max-age=600" }).end(name)
    this.server = createServer((request, response) => {
      this.requests++
      if (request.headers.cookie !== undefined) this.cookies.push(request.headers.cookie)
      request.resume()
      this.answer(request, response)
    })
    this.server.keepAliveTimeout = 60_000
  }

  static async start(name: string): Promise<Version> {
    const version = new Version(name)
    await new Promise<void>(resolve => version.server.listen(0, "127.0.0.1", resolve))
    return version
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections()
    await new Promise(resolve => this.server.close(resolve))
  }
}

export interface Got {
  readonly status: number
  readonly body: string
  readonly fields: Readonly<Record<string, string>>
}

/** Versions of a service, a cluster of its peers each, and a proxy whose routes choose between them. */
export class SplitWorld implements AsyncDisposable {
  readonly proxy: Bothways
  readonly port: number
  readonly versions: Readonly<Record<string, Version>>

  private constructor(proxy: Bothways, port: number, versions: Readonly<Record<string, Version>>) {
    this.proxy = proxy
    this.port = port
    this.versions = versions
  }

  /** `peers`: how often a version's one server stands in its cluster, by the version's name. `split` is written into the route `shop`; `more` beside it. */
  static async start(
    peers: Readonly<Record<string, number>>,
    split: object,
    more: { route?: object; config?: object; workers?: number } = {},
  ): Promise<SplitWorld> {
    const versions: Record<string, Version> = {}
    const clusters: Record<string, object> = {}
    for (const [name, count] of Object.entries(peers)) {
      const servers = await Promise.all(Array.from({ length: count }, () => Version.start(name)))
      versions[name] = servers[0]!
      clusters[name] = { peers: servers.map(server => server.address) }
      extra.push(...servers.slice(1))
    }
    const port = await freePort()
    const config = {
      listeners: { web: { bind: `127.0.0.1:${port}` } },
      clusters,
      routes: [{ name: "shop", match: {}, to: { split }, ...more.route }],
      ...more.config,
    }
    return new SplitWorld(await startBothways(config, { workers: more.workers ?? 2 }), port, versions)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.stop()
    for (const version of [...Object.values(this.versions), ...extra.splice(0)]) await version[Symbol.asyncDispose]()
  }

  /** One request over a connection of its own. */
  async ask(target = "/", ...fields: readonly string[]): Promise<Got> {
    return (await this.askAll([request(target, fields)]))[0]!
  }

  /** Requests one behind the other over one connection. */
  private async askAll(requests: readonly string[]): Promise<Got[]> {
    using client = await rawClient(this.port)
    const got: Got[] = []
    for (let at = 0; at < requests.length; at += 50) {
      const part = requests.slice(at, at + 50)
      client.send(part.join(""))
      for (const _ of part) got.push(await client.response())
    }
    return got
  }

  /** So many requests over eight connections; `fieldsOf` says what the n-th one has. The bodies in order. */
  async send(count: number, fieldsOf: (n: number) => readonly string[] = () => []): Promise<Got[]> {
    const lanes = Array.from({ length: 8 }, (_, lane) => Array.from({ length: count }, (_, n) => n).filter(n => n % 8 === lane))
    const out: Got[] = new Array(count)
    const run = async (lane: readonly number[]): Promise<void> => {
      const got = await this.askAll(lane.map(n => request("/", fieldsOf(n))))
      for (const [i, n] of lane.entries()) out[n] = got[i]!
    }
    await Promise.all(lanes.map(run))
    return out
  }

  /** `POST /canary/<action>`, as `bothways canary` does it. */
  async canary(action: string, query = ""): Promise<CanaryView> {
    const answer = await this.proxy.ask(`/canary/${action}?route=shop${query}`, { method: "POST", headers: { "X-Bothways": "1" } })
    if (answer.status !== 200) throw new Error(`${action}: ${answer.status} ${await answer.text()}`)
    return ((await answer.json()) as { splits: CanaryView[] }).splits[0]!
  }

  async status(): Promise<CanaryView> {
    return ((await (await this.proxy.ask("/canary")).json()) as { splits: CanaryView[] }).splits[0]!
  }
}

export interface CanaryView {
  readonly state: string
  readonly arms: readonly {
    readonly name: string
    readonly share: number
    readonly requests: number
    readonly failures: number
    readonly forced: number
  }[]
  readonly why: string
  readonly events: readonly { readonly what: string }[]
}

/** Further servers of clusters. */
const extra: Version[] = []

function request(target: string, fields: readonly string[]): string {
  return `GET ${target} HTTP/1.1\r\nHost: shop.test\r\n${fields.map(field => `${field}\r\n`).join("")}\r\n`
}

/** Which part of the answers has this body. */
export function shareOf(got: readonly Got[], body: string): number {
  return got.filter(one => one.body === body).length / got.length
}

/** The cookie that an answer sets, as a client sends it back; "" = none. */
export function cookieOf(got: Got): string {
  return got.fields["set-cookie"]?.split(";")[0] ?? ""
}
