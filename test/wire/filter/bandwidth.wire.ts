import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createServer } from "node:http"
import { connect } from "node:http2"
import { createHash } from "node:crypto"
import type { AddressInfo } from "node:net"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"

// Bodies at a megabyte a second: of one download, of two that share it on two workers, of uploads; over HTTP/1.1 and HTTP/2; nothing is lost or changed.

const MB = 1024 * 1024
const body = Buffer.alloc(3 * MB)
for (let i = 0; i < body.length; i += 4) body.writeUInt32LE((i * 2_654_435_761) >>> 0, i)
const digest = digestOf(body)

let port: number
let proxy: Bothways
const origin = createServer((request, response) => {
  const hash = createHash("sha256")
  let length = 0
  request.on("data", (chunk: Buffer) => {
    hash.update(chunk)
    length += chunk.length
  })
  request.on("end", () => {
    if (request.method === "POST") response.end(`${length} ${hash.digest("hex")}`)
    else if (request.url!.includes("chunked")) response.write(body, () => response.end())
    else response.writeHead(200, { "Content-Length": body.length, "Cache-Control": "max-age=600", "Content-Type": "text/plain" }).end(body)
  })
})

beforeAll(async () => {
  port = await freePort()
  await new Promise<void>(resolve => origin.listen(0, "127.0.0.1", resolve))
  const route = (name: string, bandwidth: object, more: (object | string)[] = []) => ({
    name,
    match: { path: `/${name}/*` },
    filters: [{ bandwidth }, ...more],
    to: { cluster: "app" },
  })
  proxy = await startBothways({
    workers: 2,
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    clusters: { app: { peers: [`127.0.0.1:${(origin.address() as AddressInfo).port}`] } },
    caches: { main: { memory: "32MB" } },
    routes: [
      route("each", { down: "1MB", up: "1MB" }),
      route("cached", { down: "1MB" }, [{ cache: { store: "main" } }]),
      route("client", { down: "1MB", key: "client" }),
      route("connection", { down: "1MB", key: "connection" }),
      route("ahead", { down: "1MB" }, [{ buffer: { response: { bytesMax: "4MB" } } }]),
      route("smaller", { down: "1MB" }, ["compress"]),
      route("after", { down: "100KB", after: "2900KB" }),
    ],
  })
}, 20_000)

afterAll(async () => {
  await proxy.stop()
  origin.closeAllConnections()
  origin.close()
})

function digestOf(octets: Buffer): string {
  return createHash("sha256").update(octets).digest("hex")
}

interface Fetched {
  readonly digest: string
  readonly seconds: number
}

async function overHttp1(path: string): Promise<Fetched> {
  const start = performance.now()
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { keepalive: false })
  const octets = Buffer.from(await response.arrayBuffer())
  return { digest: digestOf(octets), seconds: (performance.now() - start) / 1000 }
}

/** Streams of one connection, all at once. */
async function overHttp2(paths: readonly string[], upload: Buffer | null = null): Promise<Fetched[]> {
  const session = connect(`http://127.0.0.1:${port}`)
  const start = performance.now()
  const one = (path: string): Promise<Fetched> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ":path": path, ":method": upload === null ? "GET" : "POST" })
      const chunks: Buffer[] = []
      stream.on("data", (chunk: Buffer) => chunks.push(chunk))
      stream.on("error", reject)
      stream.on("end", () => {
        const octets = Buffer.concat(chunks)
        resolve({ digest: upload === null ? digestOf(octets) : octets.toString(), seconds: (performance.now() - start) / 1000 })
      })
      stream.end(upload ?? undefined)
    })
  try {
    return await Promise.all(paths.map(one))
  } finally {
    session.close()
  }
}

describe.concurrent("bandwidth", () => {
  test("one download", async () => {
    const { digest: got, seconds } = await overHttp1("/each/a")
    expect(got).toBe(digest)
    expect(seconds).toBeWithin(2.85, 3.5)
  }, 20_000)

  test("one download that is chunked", async () => {
    const { digest: got, seconds } = await overHttp1("/each/chunked")
    expect(got).toBe(digest)
    expect(seconds).toBeWithin(2.85, 3.5)
  }, 20_000)

  test("two at once over HTTP/2: each has the rate", async () => {
    for (const { digest: got, seconds } of await overHttp2(["/each/a", "/each/b"])) {
      expect(got).toBe(digest)
      expect(seconds).toBeWithin(2.85, 3.5)
    }
  }, 20_000)

  test("two at once for one client, on connections of two workers: they share it", async () => {
    const both = await Promise.all([overHttp1("/client/a"), overHttp1("/client/b")])
    expect(both.map(one => one.digest)).toEqual([digest, digest])
    expect(Math.max(...both.map(one => one.seconds))).toBeWithin(5.7, 6.9)
  }, 20_000)

  test("two streams of one connection share the connection's", async () => {
    const both = await overHttp2(["/connection/a", "/connection/b"])
    expect(both.map(one => one.digest)).toEqual([digest, digest])
    expect(Math.max(...both.map(one => one.seconds))).toBeWithin(5.7, 6.9)
  }, 20_000)

  test("an upload over HTTP/2", async () => {
    const [{ digest: got, seconds }] = (await overHttp2(["/each/u"], body)) as [Fetched]
    expect(got).toBe(`${body.length} ${digest}`)
    expect(seconds).toBeWithin(2.5, 3.6)
  }, 20_000)

  test("an upload over HTTP/1.1", async () => {
    const start = performance.now()
    using client = await rawClient(port)
    client.send(`POST /each/u HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`)
    client.socket.write(body)
    const { body: text } = await client.response("POST", 10_000)
    expect(text).toBe(`${body.length} ${digest}`)
    expect((performance.now() - start) / 1000).toBeWithin(2.7, 3.6)
  }, 20_000)

  test("the first octets are free", async () => {
    const { digest: got, seconds } = await overHttp1("/after/a")
    expect(got).toBe(digest)
    expect(seconds).toBeWithin(1.4, 2.3)
  }, 20_000)

  test("a response that is taken ahead of its client, and one that is compressed on its way", async () => {
    const both = await Promise.all([overHttp1("/ahead/a"), overHttp1("/smaller/a")])
    expect(both.map(one => one.digest)).toEqual([digest, digest])
    expect(both[0]!.seconds).toBeWithin(2.5, 3.6)
    expect(both[1]!.seconds).toBeWithin(0.1, 3.6)
  }, 20_000)

  test("an answer of the cache", async () => {
    await overHttp1("/cached/a")
    const { digest: got, seconds } = await overHttp1("/cached/a")
    expect(got).toBe(digest)
    expect(seconds).toBeWithin(2.8, 3.5)
  }, 20_000)
})
