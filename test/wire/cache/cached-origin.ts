import { type Bothways, startBothways } from "../../support/bothways.ts"
import type { Message, ResponseMessage } from "../../support/message.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { type Recorder, recorder } from "../../support/recorder.ts"

/** An origin that keeps what it was asked, and a proxy with a cache in front of it. */
export interface CachedOrigin extends AsyncDisposable {
  readonly origin: Recorder
  readonly proxy: Bothways
  readonly port: number
  /** Asks on a connection of its own. `fields` are lines; one that begins with Host takes the place of `Host: a.test`. */
  ask(target: string, fields?: readonly string[], method?: string): Promise<ResponseMessage>
  /** How many requests for this target reached the origin. */
  asked(target: string): number
}

/** `answer` makes the origin's answer from the request and the number of requests for its target, this one included. `caches` by host: options of the cache filter besides `store`. */
export async function cachedOrigin(
  answer: (request: Message, count: number) => string,
  caches: Record<string, object> = { "a.test": {} },
): Promise<CachedOrigin> {
  const port = await freePort()
  const counts = new Map<string, number>()
  const origin = await recorder(request => {
    const target = targetOf(request)
    counts.set(target, (counts.get(target) ?? 0) + 1)
    return answer(request, counts.get(target)!)
  })
  const proxy = await startBothways(cachingConfig(port, { peers: [origin.address] }, caches))
  return {
    origin,
    proxy,
    port,
    ask: (target, fields, method) => ask(port, target, fields, method),
    asked: target => counts.get(target) ?? 0,
    [Symbol.asyncDispose]: async () => {
      await proxy.stop()
      await origin[Symbol.asyncDispose]()
    },
  }
}

/** A route with a cache for each host. */
export function cachingConfig(port: number, cluster: object, caches: Record<string, object> = { "a.test": {} }): object {
  return {
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    clusters: { a: cluster },
    caches: { main: { memory: "16MB" } },
    routes: Object.entries(caches).map(([host, options]) => ({
      match: { host },
      filters: [{ cache: { store: "main", ...options } }],
      to: { cluster: "a" },
    })),
  }
}

export async function ask(port: number, target: string, fields: readonly string[] = [], method = "GET"): Promise<ResponseMessage> {
  using client = await rawClient(port)
  const host = fields.some(line => line.startsWith("Host:")) ? [] : ["Host: a.test"]
  client.send([`${method} ${target} HTTP/1.1`, ...host, ...fields, "\r\n"].join("\r\n"))
  return await client.response(method)
}

/** A whole answer. `fields` are lines. */
export function answer(body: string, fields: readonly string[] = [], status = "200 OK"): string {
  return [`HTTP/1.1 ${status}`, ...fields, `Content-Length: ${body.length}`, "", body].join("\r\n")
}

export function targetOf(request: Message): string {
  return request.start.split(" ")[1]!
}

/** Whether a cache says that it answered from its store (RFC 9211 section 2.1). */
export function isHit(response: Message): boolean {
  return /;\s*hit\b/.test(response.fields["cache-status"] ?? "")
}
