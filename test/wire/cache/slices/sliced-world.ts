import { createHash, randomBytes } from "node:crypto"
import { createServer, get, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type Bothways, startBothways } from "../../../support/bothways.ts"
import { freePort } from "../../../support/ports.ts"

export const KB = 1024
export const MB = 1024 * 1024

/** A file of the origin, and what the origin does with it. */
export interface OriginFile {
  body: Buffer
  /** null = it has none. */
  etag: string | null
  fields: Record<string, string>
  /** Answers Range. */
  ranges: boolean
  /** Answers instead of what the file would give; true = it has. */
  script: ((request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>) | null
}

export interface Seen {
  readonly method: string
  readonly target: string
  /** Value of Range, "" = none. */
  readonly range: string
  readonly fields: IncomingHttpHeaders
}

export interface Got {
  readonly status: number
  readonly fields: IncomingHttpHeaders
  readonly body: Buffer
}

/** An HTTP server that does ranges, and keeps what it was asked. */
export class RangeOrigin {
  readonly files: Record<string, OriginFile> = {}
  readonly seen: Seen[] = []
  /** Octets of bodies that were begun to be sent. */
  bytes = 0
  private readonly server: Server

  constructor() {
    this.server = createServer((request, response) => void this.answer(request, response))
  }

  async listen(): Promise<string> {
    await new Promise<void>(resolve => this.server.listen(0, "127.0.0.1", resolve))
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  close(): void {
    this.server.closeAllConnections()
    this.server.close()
  }

  /** A file with random octets. */
  put(target: string, length: number, change: Partial<OriginFile> = {}): OriginFile {
    const body = change.body ?? randomBytes(length)
    const etag = `"${createHash("sha1").update(body).digest("hex")}"`
    const fields = { "cache-control": "max-age=600", "content-type": "video/mp4" }
    return (this.files[target] = { body, etag, fields, ranges: true, script: null, ...change })
  }

  /** Ranges that were asked for, in order. */
  rangesOf(target: string): string[] {
    return this.seen.filter(seen => seen.target === target).map(seen => seen.range)
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.url!
    this.seen.push({ method: request.method!, target, range: request.headers.range ?? "", fields: request.headers })
    const file = this.files[target]
    if (file === undefined) {
      response.writeHead(404, { "content-length": 4, "cache-control": "max-age=60" }).end("none")
      return
    }
    if (file.script !== null && (await file.script(request, response))) return
    this.send(file, request, response)
  }

  private send({ body, etag, fields, ranges }: OriginFile, request: IncomingMessage, response: ServerResponse): void {
    const head: Record<string, string | number> = { ...fields, ...(ranges && { "accept-ranges": "bytes" }), ...(etag !== null && { etag }) }
    if (etag !== null && request.headers["if-none-match"] === etag) {
      response.writeHead(304, head).end()
      return
    }
    const range = ranges ? /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") : null
    const first = range === null ? 0 : Number(range[1])
    if (first >= body.length && range !== null) {
      response.writeHead(416, { "content-range": `bytes */${body.length}`, "content-length": 0 }).end()
      return
    }
    const last = range === null || range[2] === "" ? body.length - 1 : Math.min(Number(range[2]), body.length - 1)
    if (range !== null) head["content-range"] = `bytes ${first}-${last}/${body.length}`
    head["content-length"] = last - first + 1
    this.bytes += last - first + 1
    response.writeHead(range === null ? 200 : 206, head).end(request.method === "HEAD" ? undefined : body.subarray(first, last + 1))
  }
}

export interface WorldOptions {
  /** Of the cache filter. */
  readonly cache?: object
  /** Of the store. */
  readonly store?: object
  readonly workers?: number
}

/** A range origin, and the program with a cache that cuts what it answers. */
export class SlicedWorld implements AsyncDisposable {
  readonly origin: RangeOrigin
  readonly proxy: Bothways
  readonly port: number

  private constructor(origin: RangeOrigin, proxy: Bothways, port: number) {
    this.origin = origin
    this.proxy = proxy
    this.port = port
  }

  static async start(options: WorldOptions = {}): Promise<SlicedWorld> {
    const origin = new RangeOrigin()
    const port = await freePort()
    const config = slicedConfig(port, await origin.listen(), options)
    return new SlicedWorld(origin, await startBothways(config, { workers: options.workers ?? 1 }), port)
  }

  ask(target: string, headers: Record<string, string> = {}, method = "GET"): Promise<Got> {
    return ask(this.port, target, headers, method)
  }

  async purge(query: string): Promise<number> {
    const response = await this.proxy.ask(`/cache/purge?${query}`, { method: "POST", headers: { "x-bothways": "1" } })
    return ((await response.json()) as { purged: number }).purged
  }

  /** Keys of what is stored, as the admin API shows them. */
  async entries(target: string): Promise<string[]> {
    const response = await this.proxy.ask(`/cache/entries?url=${encodeURIComponent(`http://a.test${target}`)}`)
    return ((await response.json()) as { entries: { key: string }[] }).entries.map(entry => entry.key)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.stop()
    this.origin.close()
  }
}

export function slicedConfig(port: number, peer: string, { cache = {}, store = {} }: WorldOptions = {}): object {
  return {
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    clusters: { a: { peers: [peer] } },
    caches: { main: { memory: "64MB", ...store } },
    routes: [{ match: {}, filters: [{ cache: { store: "main", slice: "1MB", ...cache } }], to: { cluster: "a" } }],
  }
}

/** Asks on a connection of its own, and reads to the end. Fails when the body is cut. */
export function ask(port: number, target: string, headers: Record<string, string> = {}, method = "GET"): Promise<Got> {
  const { promise, resolve, reject } = Promise.withResolvers<Got>()
  const request = get({ host: "127.0.0.1", port, path: target, method, headers: { host: "a.test", ...headers }, agent: false }, response => {
    const chunks: Buffer[] = []
    response.on("data", chunk => chunks.push(chunk))
    response.on("error", reject)
    response.on("aborted", () => reject(new Error("aborted")))
    response.on("end", () => {
      if (response.complete) resolve({ status: response.statusCode!, fields: response.headers, body: Buffer.concat(chunks) })
      else reject(new Error("incomplete"))
    })
  })
  request.on("error", reject)
  return promise
}

/** The aligned ranges of 1 MB from one slice to another, as they are asked for. */
export function slicesFrom(first: number, last: number, size = MB): string[] {
  const ranges: string[] = []
  for (let n = first; n <= last; n++) ranges.push(`bytes=${n * size}-${(n + 1) * size - 1}`)
  return ranges
}

export function isHit({ fields }: Got): boolean {
  return /;\s*hit\b/.test(String(fields["cache-status"] ?? ""))
}
