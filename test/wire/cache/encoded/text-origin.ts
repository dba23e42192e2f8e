import { createHash } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib"
import { type Bothways, startBothways } from "../../../support/bothways.ts"
import type { ResponseMessage } from "../../../support/message.ts"
import { freePort } from "../../../support/ports.ts"
import { ask } from "../cached-origin.ts"

/** One page of the origin. */
export interface Page {
  body: Buffer
  /** Besides Content-Type (text/html unless it is here), Content-Length, ETag (of the body) and Cache-Control: max-age=600, which `undefined` takes out. */
  readonly fields?: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The body has no length: it comes in chunks. */
  readonly chunked?: boolean
}

/** A server of the runtime with texts, a proxy that compresses in front of it, and what tests do with them. */
export class TextOrigin implements AsyncDisposable {
  readonly pages: Record<string, Page> = {}
  /** Requests that reached the origin. */
  readonly requests: { readonly method: string; readonly url: string; readonly fields: IncomingMessage["headers"] }[] = []
  readonly server = createServer((request, response) => this.answer(request, response))
  port = 0
  proxy!: Bothways

  /** `more` is of the cache filter, `top` of the config. */
  static async start(compress: readonly string[], { more = {}, top = {} }: { more?: object; top?: object } = {}): Promise<TextOrigin> {
    const origin = new TextOrigin()
    await new Promise<void>(resolve => origin.server.listen(0, "127.0.0.1", resolve))
    origin.port = await freePort()
    origin.proxy = await startBothways({
      listeners: { web: { bind: `127.0.0.1:${origin.port}` } },
      clusters: { a: { peers: [`127.0.0.1:${(origin.server.address() as AddressInfo).port}`] } },
      caches: { main: { memory: "64MB" } },
      routes: [{ match: {}, filters: [{ cache: { store: "main", compress, ...more } }], to: { cluster: "a" } }],
      ...top,
    })
    return origin
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url!
    this.requests.push({ method: request.method!, url, fields: request.headers })
    const page = this.pages[url.split("?")[0]!]!
    const etag = `"${createHash("sha1").update(page.body).digest("hex")}"`
    const fields = { "content-type": "text/html", etag, "cache-control": "max-age=600", "content-length": `${page.body.length}`, ...page.fields }
    for (const [name, value] of Object.entries(fields)) if (value !== undefined) response.setHeader(name, value)
    if (request.headers["if-none-match"] !== undefined && request.headers["if-none-match"] === fields.etag) {
      response.removeHeader("content-length")
      response.writeHead(304).end()
      return
    }
    if (page.chunked) response.removeHeader("content-length")
    response.writeHead(200)
    response.end(request.method === "HEAD" ? undefined : page.body)
  }

  ask(target: string, fields: readonly string[] = [], method = "GET"): Promise<ResponseMessage> {
    return ask(this.port, target, fields, method)
  }

  /** Asks until the answer is encoded. */
  async encoded(target: string, accept: string, fields: readonly string[] = []): Promise<ResponseMessage> {
    for (let times = 0; times < 200; times++) {
      const response = await this.ask(target, [`Accept-Encoding: ${accept}`, ...fields])
      if (response.fields["content-encoding"] !== undefined) return response
      await Bun.sleep(50)
    }
    throw new Error(`${target} was never encoded`)
  }

  /** What the cache holds for a path, as the admin API tells it. */
  async entries(path: string): Promise<{ key: string; bytes: number; head: string }[]> {
    const response = await this.proxy.ask(`/cache/entry?url=${encodeURIComponent(`http://a.test${path}`)}`)
    return ((await response.json()) as { entries: { key: string; bytes: number; head: string }[] }).entries
  }

  async purge(path: string): Promise<number> {
    const response = await this.proxy.ask(`/cache/purge?url=${encodeURIComponent(`http://a.test${path}`)}`, {
      method: "POST",
      headers: { "x-bothways": "1" },
    })
    return ((await response.json()) as { purged: number }).purged
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.stop()
    this.server.closeAllConnections()
    this.server.close()
  }
}

const decoders: Record<string, (octets: Uint8Array) => Buffer> = {
  br: octets => brotliDecompressSync(octets),
  zstd: octets => zstdDecompressSync(octets),
  gzip: octets => gunzipSync(octets),
}

/** The body with its content coding taken off. */
export function decoded({ fields, body }: ResponseMessage): Buffer {
  const octets = Buffer.from(body, "latin1")
  const coding = fields["content-encoding"]
  return coding === undefined ? octets : decoders[coding]!(octets)
}

/** A text of so many octets, different for each `salt`. */
export function textOf(length: number, salt = 0): Buffer {
  let text = `<!doctype html><title>${salt}</title>\n`
  for (let i = 0; text.length < length; i++) text += `<p class="line">${(i * 7919 + salt * 31) % 100_003} bottles of beer on the wall</p>\n`
  return Buffer.from(text.slice(0, length))
}
