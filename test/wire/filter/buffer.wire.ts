import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { run } from "../../support/run.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const [web, secure] = (await freePorts(2)) as [number, number]
const site = new Authority().issue(["a.test"])
const large = "0123456789abcdef".repeat(192 * 1024)
let ended = 0
const upstream = await scriptedServer(async connection => {
  while (true) {
    const { start, head, body } = await connection.request(3_600_000)
    const answer = start.includes("/large") ? large : JSON.stringify({ head, length: body.length })
    connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`)
    ended++
  }
})
const proxy = await startBothways({
  listeners: {
    web: { bind: `127.0.0.1:${web}` },
    secure: { bind: `127.0.0.1:${secure}`, tls: { certificates: [{ cert: site.certFile, key: site.keyFile }] } },
  },
  clusters: { a: { peers: [upstream.address], pool: { connectionsMax: 1 } } },
  routes: [
    { match: { path: "/refuse" }, filters: [{ buffer: { request: { bytesMax: "1KB", over: "refuse" } } }], to: { cluster: "a" } },
    { match: { path: "/stream" }, filters: [{ buffer: { request: { bytesMax: "1KB" } } }], to: { cluster: "a" } },
    { match: { path: "/inflate" }, filters: ["decompress", "buffer"], to: { cluster: "a" } },
    { match: {}, filters: [{ buffer: { response: { bytesMax: "8MB" } } }], to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

const seenOf = (body: string) => JSON.parse(body) as { head: string; length: number }

describe("requests", () => {
  test("a slow upload reaches the peer as one request with a length, when it is whole", async () => {
    using client = await rawClient(web)
    const connections = upstream.connections.length
    const before = upstream.received.length
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
    expect(await client.head()).toStartWith("HTTP/1.1 100 ")
    for (let i = 0; i < 5; i++) {
      client.send(`186a0\r\n${"x".repeat(100_000)}\r\n`)
      await Bun.sleep(5)
      expect([upstream.connections.length, upstream.received.length]).toEqual([connections, before])
    }
    client.send("0\r\n\r\n")
    const { body } = await client.response()
    const { head, length } = seenOf(body)
    expect(length).toBe(500_000)
    expect(head).toContain("Content-Length: 500000\r\n")
    expect(head).not.toMatch(/transfer-encoding|expect/i)
  })
  test("over the limit: refused, or streamed", async () => {
    using refused = await rawClient(web)
    refused.send(`POST /refuse HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1025\r\n\r\n${"x".repeat(1025)}`)
    expect((await refused.response()).status).toBe(413)
    using chunked = await rawClient(web)
    chunked.send(`POST /refuse HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n${"x".repeat(0x20000)}\r\n`)
    expect((await chunked.response()).status).toBe(413)
    using streamed = await rawClient(web)
    streamed.send(`POST /stream HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n${"x".repeat(0x20000)}\r\n0\r\n\r\n`)
    const { head, length } = seenOf((await streamed.response()).body)
    expect([length, /content-length/i.test(head)]).toEqual([0x20000, false])
  })
  test("an inflated body has a length behind it", async () => {
    const { stdout } = await run(
      ...([
        "bash",
        "-c",
        `printf 'abc%.0s' {1..2000} | gzip | curl -s --data-binary @- -H 'Content-Encoding: gzip' http://127.0.0.1:${web}/inflate`,
      ] as const),
    )
    expect(seenOf(stdout)).toMatchObject({ length: 6000, head: expect.stringContaining("Content-Length: 6000\r\n") })
  })
})

describe("responses", () => {
  test("a client that does not read holds no peer, and gets all of it later", async () => {
    using slow = await rawClient(web)
    const before = ended
    slow.send("GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n")
    slow.pause()
    await until(() => ended === before + 1)
    // The one connection that the peer has serves others meanwhile.
    using other = await rawClient(web)
    other.send("GET /small HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await other.response()).status).toBe(200)
    expect(proxy.log().some(line => line["target"] === "/large")).toBe(false)
    slow.resume()
    const { body } = await slow.response()
    expect(body === large).toBe(true)
    await until(() => proxy.log().some(line => line["target"] === "/large" && line["responseBytes"] === large.length))
    slow.send("GET /after HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await slow.response()).status).toBe(200)
  })
  test("a slow client that leaves costs nothing further", async () => {
    {
      const before = ended
      using gone = await rawClient(web)
      gone.send("GET /large?gone HTTP/1.1\r\nHost: a.test\r\n\r\n")
      gone.pause()
      await until(() => ended === before + 1)
      gone.reset()
    }
    // The system may have taken all of it before the client left.
    await until(() => proxy.log().some(line => line["target"] === "/large?gone"))
  })
  test.each(["--http1.1", "--http2"])("slow readers with curl %s", async version => {
    const { stdout } = await run("curl", "-sk", version, "--limit-rate", "20M", `https://127.0.0.1:${secure}/large`)
    expect(stdout === large).toBe(true)
  })
})
