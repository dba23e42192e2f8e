import { afterAll, describe, expect, test } from "bun:test"
import { brotliDecompressSync, constants, createGunzip, gunzipSync, zstdDecompressSync } from "node:zlib"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { run } from "../../support/run.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const text = JSON.stringify(Array.from({ length: 400 }, (_, i) => ({ id: i, name: `user ${(i * 7919) % 1000}`, tags: [i % 5, i % 7] })))
const [web, secure] = (await freePorts(2)) as [number, number]
const decoders = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync }
const site = new Authority().issue(["a.test"])

const upstream = await scriptedServer(async connection => {
  while (true) {
    const asked = await connection.request(3_600_000)
    const [method, path] = asked.start.split(" ")
    const length = `Content-Length: ${text.length}\r\n`
    const json = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: "v1"\r\nContent-MD5: x\r\n'
    if (path === "/strict") {
      // Knows its own tag only in the form that it gave it.
      if (/^if-none-match: "v1"\r$/im.test(asked.head)) connection.send('HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\n\r\n')
      else connection.send(`${json}${length}\r\n${text}`)
    } else if (path === "/chunked") connection.send(`${json}Transfer-Encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`)
    else if (path === "/slow") {
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
      await connection.request(3_600_000).catch(() => {})
    } else if (path === "/cut") {
      connection.send(`${json}${length}\r\n${text.slice(0, 9)}`)
      connection.fin()
      return
    } else connection.send(`${json}${length}\r\n${method === "HEAD" ? "" : text}`)
  }
})
const events = await scriptedServer(async connection => {
  const { fields } = await connection.request()
  connection.send(`HTTP/1.1 200 OK\r\nContent-Type: ${fields["x-type"]}\r\nTransfer-Encoding: chunked\r\n\r\n`)
})
const proxy = await startBothways({
  listeners: {
    web: { bind: `127.0.0.1:${web}` },
    secure: { bind: `127.0.0.1:${secure}`, tls: { certificates: [{ cert: site.certFile, key: site.keyFile }] } },
  },
  clusters: { a: { peers: [upstream.address] }, events: { peers: [events.address] } },
  routes: [
    { match: { path: "/events" }, filters: [{ compress: { types: ["text/*", "text/event-stream"], streamsMax: 1 } }], to: { cluster: "events" } },
    { match: {}, filters: [{ compress: { types: ["application/json", "text/*", "text/event-stream"] } }], to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
  await events[Symbol.asyncDispose]()
})

async function ask(path: string, fields: string, version = "1.1") {
  using client = await rawClient(web)
  client.send(`GET ${path} HTTP/${version}\r\nHost: a.test\r\n${fields}\r\n`)
  return await client.response()
}

describe("O-26: compression and entity tags", () => {
  test.each(["gzip", "br", "zstd"] as const)("%s, with and without a length", async coding => {
    for (const path of ["/", "/chunked"]) {
      const { fields, body } = await ask(path, `Accept-Encoding: ${coding}\r\n`)
      const octets = Buffer.from(body, "latin1")
      expect(decoders[coding](octets).toString()).toBe(text)
      expect([fields["content-encoding"] ?? "", fields["etag"] ?? "", fields["vary"] ?? ""]).toEqual([coding, 'W/"v1"', "Accept-Encoding"])
      expect(fields["content-length"] ?? "").toBe(String(octets.length))
      expect([fields["content-md5"], fields["transfer-encoding"]]).toEqual([undefined, undefined])
    }
  })
  test("HTTP/1.0 and clients that accept nothing", async () => {
    const old = await ask("/", "Accept-Encoding: gzip\r\n", "1.0")
    expect(gunzipSync(Buffer.from(old.body, "latin1")).toString()).toBe(text)
    const plain = await ask("/", "")
    expect([plain.body, plain.fields["etag"] ?? "", plain.fields["vary"] ?? ""]).toEqual([text, '"v1"', "Accept-Encoding"])
  })
  test("the tag that a client was given ends in 304 also at a peer that knows its own form only", async () => {
    const { fields } = await ask("/strict", "Accept-Encoding: gzip\r\n")
    const again = await ask("/strict", `Accept-Encoding: gzip\r\nIf-None-Match: ${fields["etag"] ?? ""}\r\n`)
    expect([again.status, again.fields["etag"] ?? "", again.fields["vary"] ?? ""]).toEqual([304, 'W/"v1"', "Accept-Encoding"])
    expect((await ask("/strict", 'If-None-Match: "v1"\r\n')).fields).toMatchObject({ etag: '"v1"' })
  })
  test("a body that is cut is not passed on as whole", async () => {
    using client = await rawClient(web)
    client.send("GET /cut HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: gzip\r\n\r\n")
    await expect(client.response()).rejects.toThrow("ended")
  })
  test.each(["--http1.1", "--http2"])("curl --compressed %s", async version => {
    for (const path of ["/", "/chunked"]) {
      const { stdout } = await run("curl", "-sk", "--compressed", version, `https://127.0.0.1:${secure}${path}`)
      expect(stdout).toBe(text)
    }
  })
})

describe("O-35: events held back by compression", () => {
  test.each(["text/event-stream", "text/html"])("%s: each piece can be decoded when it has come, and the head comes first", async type => {
    using client = await rawClient(web)
    const index = events.connections.length
    client.send(`GET /events HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: gzip\r\nX-Type: ${type}\r\n\r\n`)
    expect(await client.head()).toContain("Content-Encoding: gzip\r\n")
    const before = client.received.length
    const source = await events.connection(index)
    const gunzip = createGunzip({ flush: constants.Z_SYNC_FLUSH })
    let decoded = ""
    gunzip.on("data", (piece: Buffer) => (decoded += piece.toString()))
    let seen = before
    for (let i = 0; i < 5; i++) {
      const event = `data: event ${i}\n\n`
      const sentAt = performance.now()
      source.send(`${event.length.toString(16)}\r\n${event}\r\n`)
      await until(() => {
        for (;;) {
          const head = /^([0-9a-f]+)\r\n/.exec(client.received.slice(seen))
          const end = head === null ? 0 : seen + head[0].length + Number.parseInt(head[1]!, 16)
          if (head === null || client.received.length < end + 2) return decoded.endsWith(event)
          gunzip.write(Buffer.from(client.received.slice(seen + head[0].length, end), "latin1"))
          seen = end + 2
        }
      })
      // Far below what a buffer that fills would take; 50 ms on a quiet machine.
      expect(performance.now() - sentAt).toBeLessThan(500)
    }
    // Whoever leaves gives its encoder back: the next one finds the only one that there may be.
    client.reset()
    await until(() => proxy.log().filter(line => line["target"] === "/events").length === index + 1)
  })
})
