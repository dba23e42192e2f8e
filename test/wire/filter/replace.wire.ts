import { afterAll, expect, test } from "bun:test"
import { gunzipSync, gzipSync } from "node:zlib"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { run } from "../../support/run.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const web = await freePort()
const page = `<html><head></head>\n<a href="http://app.internal/x">build-0a1b2c3</a>\n</html>\n`.repeat(300)
const wanted = page
  .replace("</head>", "<script></script></head>")
  .replaceAll("http://app.internal/", "https://app.example/é/")
  .replaceAll("build-0a1b2c3", "v0a1b2c3")
const octets = Buffer.from(page)
const upstream = await scriptedServer(async connection => {
  while (true) {
    const { start, fields } = await connection.request(3_600_000)
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nETag: "p"\r\nAccept-Ranges: bytes\r\n'
    if (start.includes("/gzip")) {
      const packed = gzipSync(octets)
      connection.send(`${head}Content-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`)
      connection.send(packed)
    } else if (start.includes("/events")) {
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
      return
    } else if (fields["range"] !== undefined)
      connection.send(
        `HTTP/1.1 206 Partial Content\r\nContent-Type: text/html\r\nContent-Range: bytes 0-9/${octets.length}\r\nContent-Length: 10\r\n\r\n${page.slice(0, 10)}`,
      )
    else {
      // Chunks that cut matches, each in a packet of its own.
      connection.send(`${head}Transfer-Encoding: chunked\r\n\r\n`)
      for (let at = 0; at < octets.length; at += 997) {
        const piece = octets.subarray(at, at + 997)
        connection.send(`${piece.length.toString(16)}\r\n${piece}\r\n`)
        if (at % 7 === 0) await Bun.sleep(0)
      }
      connection.send("0\r\n\r\n")
    }
  }
})
const replace = {
  body: [
    { find: "http://app.internal/", with: "https://app.example/é/" },
    { find: { pattern: "build-([0-9a-f]{7})" }, with: "v$1" },
    { find: "</head>", with: "<script></script></head>", once: true },
  ],
}
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${web}` } },
  clusters: { a: { peers: [upstream.address] } },
  routes: [{ match: {}, filters: [{ decompress: { response: "always" } }, { replace }, { compress: { codings: ["gzip"] } }], to: { cluster: "a" } }],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

async function get(path: string, fields = "") {
  using client = await rawClient(web)
  client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`)
  const { body, fields: said, status } = await client.response()
  return { status, said, octets: Buffer.from(body, "latin1") }
}

test.each(["/", "/gzip"])("%s: found across chunks, inflated before and compressed again", async path => {
  const plain = await get(path)
  expect(plain.octets.toString() === wanted).toBe(true)
  expect([plain.said["etag"], plain.said["accept-ranges"]]).toEqual(['W/"p"', undefined])
  const packed = await get(path, "Accept-Encoding: gzip\r\n")
  expect(packed.said["content-encoding"]).toBe("gzip")
  expect(gunzipSync(packed.octets).toString() === wanted).toBe(true)
  const { stdout } = await run("curl", "-s", "--compressed", `http://127.0.0.1:${web}${path}`)
  expect(stdout === wanted).toBe(true)
})

test("a part is not touched", async () => {
  const { status, octets: part } = await get("/part", "Range: bytes=0-9\r\n")
  expect([status, part.toString()]).toEqual([206, page.slice(0, 10)])
})

test("an event leaves when its line has come", async () => {
  using client = await rawClient(web)
  const index = upstream.connections.length
  client.send("GET /events HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
  const head = await client.head()
  expect(head).toContain("text/event-stream")
  const source = upstream.connections.find(connection => connection.received.includes("/events")) ?? (await upstream.connection(index))
  const event = "data: at http://app.internal/ build-1234567\n\n"
  source.send(`${event.length.toString(16)}\r\n${event}\r\n`)
  await until(() => Buffer.from(client.received, "latin1").toString().includes("data: at https://app.example/é/ v1234567\n\n"))
})
