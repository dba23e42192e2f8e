import { type Bothways, startBothways } from "../../../support/bothways.ts"
import type { Message } from "../../../support/message.ts"
import { freePort } from "../../../support/ports.ts"
import { type RawClient, rawClient } from "../../../support/raw-client.ts"
import type { RawSocket } from "../../../support/raw-socket.ts"
import { type ScriptedServer, scriptedServer } from "../../../support/scripted-server.ts"
import { pause, until } from "../../../support/wait.ts"
import { cachingConfig, targetOf } from "../cached-origin.ts"

/** A request that has reached the origin, and the connection to answer it on. */
export interface Reached {
  readonly target: string
  readonly request: Message
  readonly connection: RawSocket
}

export interface WorldOptions {
  readonly workers?: number
  /** Options of the cache filter besides `store`. */
  readonly cache?: object
  /** Of the cluster, besides its peers. */
  readonly cluster?: object
  /** Of the cache. */
  readonly memory?: string
  /** Of the listener, besides where it binds. */
  readonly listener?: object
}

/** A proxy with a cache, and an origin that answers when and what it is told. */
export class EngineWorld implements AsyncDisposable {
  readonly reached: Reached[] = []
  readonly proxy: Bothways
  readonly port: number
  readonly origin: ScriptedServer
  readonly config: Record<string, unknown>
  /** Answers at once; "" = not, the test does. */
  answer: (reached: Reached) => string | Buffer = () => ""

  private constructor(proxy: Bothways, port: number, origin: ScriptedServer, config: object) {
    this.proxy = proxy
    this.port = port
    this.origin = origin
    this.config = config as Record<string, unknown>
  }

  static async start(options: WorldOptions = {}): Promise<EngineWorld> {
    const port = await freePort()
    let world: EngineWorld | null = null
    const origin = await scriptedServer(async connection => {
      while (true) {
        const request = await connection.request(3_600_000)
        const reached = { target: targetOf(request), request, connection }
        world!.reached.push(reached)
        const text = world!.answer(reached)
        if (text.length > 0) connection.send(text)
      }
    })
    const config = withOptions(cachingConfig(port, { peers: [origin.address], ...options.cluster }, { "a.test": options.cache ?? {} }), options)
    const proxy = await startBothways(config, { workers: options.workers ?? 2 })
    world = new EngineWorld(proxy, port, origin, config)
    return world
  }

  /** How many requests for this target have reached the origin. */
  asked(target: string): number {
    return this.reached.filter(each => each.target === target).length
  }

  /** The request of this index for this target, once it is there. */
  reach(target: string, index = 0): Promise<Reached> {
    return until(() => this.reached.filter(each => each.target === target)[index], undefined, `request ${index} for ${target}`)
  }

  private async connections(): Promise<number[]> {
    const { workers } = (await (await this.proxy.ask("/status")).json()) as { workers: { detail: { connections: Record<string, number> } | null }[] }
    return workers.map(worker => worker.detail?.connections.web ?? 0)
  }

  /** Waits until each worker has as many clients at least. Answers how many they have. */
  spread(least: number): Promise<number[]> {
    return until(async () => {
      const counts = await this.connections()
      return counts.every(count => count >= least) ? counts : null
    })
  }

  /** Waits until nobody is connected any more. */
  async untilAlone(): Promise<void> {
    await until(async () => (await this.connections()).every(count => count === 0))
  }

  /** A client whose connection this worker has. */
  async clientOn(worker: number): Promise<RawClient> {
    while (true) {
      const before = await this.settled()
      const client = await rawClient(this.port)
      const after = await until(async () => {
        const counts = await this.connections()
        return counts.some((count, i) => count > before[i]!) ? counts : null
      })
      if (after[worker]! > before[worker]!) return client
      client.destroy()
    }
  }

  /** Connections of each worker, when none is coming or going. */
  private settled(): Promise<number[]> {
    return until(async () => {
      const counts = await this.connections()
      await pause(15)
      return String(await this.connections()) === String(counts) ? counts : null
    })
  }

  /** Changes something by the admin API. */
  async change(path: string): Promise<Record<string, unknown>> {
    const response = await this.proxy.ask(path, { method: "POST", headers: { "x-bothways": "1" } })
    return { status: response.status, ...((await response.json()) as object) }
  }

  async look(path: string): Promise<Record<string, unknown>> {
    return (await (await this.proxy.ask(path)).json()) as Record<string, unknown>
  }

  /** The memory of the cache: entries and octets in use. */
  async memory(): Promise<{ entries: number; usedBytes: number }> {
    const { caches } = (await this.look("/cache/stats")) as { caches: { main: { memory: { entries: number; usedBytes: number } } } }
    return caches.main.memory
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.stop()
    await this.origin.close()
  }
}

function withOptions(config: object, { memory, listener }: WorldOptions): object {
  const { caches, listeners, ...rest } = config as { caches: { main: object }; listeners: { web: object } }
  return {
    ...rest,
    caches: { main: { ...caches.main, ...(memory && { memory }) } },
    listeners: { web: { ...listeners.web, ...listener } },
  }
}

export function get(target: string, fields: readonly string[] = [], method = "GET"): string {
  return [`${method} ${target} HTTP/1.1`, "Host: a.test", ...fields, "\r\n"].join("\r\n")
}
