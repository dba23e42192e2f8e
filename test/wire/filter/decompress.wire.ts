import { afterAll, describe, expect, test } from "bun:test"
import { brotliCompressSync, gunzipSync, gzipSync, zstdCompressSync } from "node:zlib"
import { residentBytes } from "../../../bench/cpu.ts"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// O-45: the limit counts inflated octets, for every coding; beyond it 413, with little memory.
const web = await freePort()
const page = "a page of http://app.internal/ for everybody ".repeat(100)
const packed = gzipSync(page)
const bomb = gzipSync(Buffer.alloc(256 * 1024 ** 2), { level: 1 })
const upstream = await scriptedServer(async connection => {
  while (true) {
    const { head, body, start } = await connection.request(3_600_000)
    if (start.includes("/bomb")) {
      connection.send(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`)
      connection.send(bomb)
      continue
    }
    const coded = start.includes("/page") ? packed.toString("latin1") : ""
    const fields = coded === "" ? "" : 'Content-Type: text/html\r\nContent-Encoding: gzip\r\nETag: "p"\r\n'
    const answer = coded === "" ? JSON.stringify({ head, length: body.length, start: body.slice(0, 20) }) : coded
    connection.send(Buffer.from(`HTTP/1.1 200 OK\r\n${fields}Content-Length: ${answer.length}\r\n\r\n${answer}`, "latin1"))
  }
})
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${web}` } },
  clusters: { a: { peers: [upstream.address] } },
  routes: [
    { match: { path: "/page/always" }, filters: [{ decompress: { response: "always" } }, "compress"], to: { cluster: "a" } },
    { match: { path: "/bomb" }, filters: [{ decompress: { response: { when: "always", inflatedBytesMax: "1MB" } } }], to: { cluster: "a" } },
    { match: { path: "/page/needed" }, filters: [{ decompress: { response: "needed" } }], to: { cluster: "a" } },
    { match: {}, filters: ["decompress"], to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

async function post(body: Uint8Array, coding: string) {
  using client = await rawClient(web)
  client.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n`)
  client.send(body)
  return await client.response()
}

async function get(path: string, accept: string) {
  using client = await rawClient(web)
  client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n${accept === "" ? "" : `Accept-Encoding: ${accept}\r\n`}\r\n`)
  return await client.response()
}

describe("request bodies", () => {
  test.each([
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
  ] as const)("%s reaches the peer in plain octets", async (coding, encode) => {
    const { status, body } = await post(encode(page), coding)
    const seen = JSON.parse(body) as { head: string; length: number; start: string }
    expect([status, seen.length, seen.start]).toEqual([200, page.length, page.slice(0, 20)])
    expect(seen.head.toLowerCase()).not.toContain("content-encoding")
    expect(seen.head).toContain("Transfer-Encoding: chunked\r\n")
  })
  test("bombs of a gigabyte: 413, and little memory", async () => {
    const zeros = Buffer.alloc(1024 ** 3)
    const bombs = [
      ["gzip", gzipSync(zeros, { level: 1 })],
      ["zstd", zstdCompressSync(zeros)],
    ] as const
    const before = residentBytes(proxy.pid)
    for (const [coding, bomb] of bombs) expect((await post(bomb, coding)).status).toBe(413)
    expect(residentBytes(proxy.pid) - before).toBeLessThan(64 * 1024 ** 2)
    await until(() => proxy.log().filter(line => line["fault"] === "client.body-bomb").length === bombs.length)
  }, 20_000)
  test("415 and 400", async () => {
    expect((await post(Buffer.from("abc"), "lzma")).status).toBe(415)
    expect((await post(packed.subarray(0, 20), "gzip")).status).toBe(400)
  })
})

describe("responses", () => {
  test("inflated where needed only", async () => {
    const plain = await get("/page/needed", "br")
    expect([plain.body, plain.fields["etag"], plain.fields["vary"], plain.fields["content-encoding"]]).toEqual([
      page,
      'W/"p"',
      "Accept-Encoding",
      undefined,
    ])
    const coded = await get("/page/needed", "gzip")
    expect([coded.fields["content-encoding"], coded.fields["etag"]]).toEqual(["gzip", '"p"'])
    expect(gunzipSync(Buffer.from(coded.body, "latin1")).toString()).toBe(page)
  })
  test("a bomb: 502, and the next request is served", async () => {
    const { status, body } = await get("/bomb", "")
    expect([status, body]).toEqual([502, expect.stringContaining("upstream.body-bomb")])
    expect((await get("/page/needed", "gzip")).status).toBe(200)
  })
  test("always, and compressed again", async () => {
    expect((await get("/page/always", "")).body).toBe(page)
    const again = await get("/page/always", "gzip")
    expect(again.fields["content-encoding"]).toBe("gzip")
    expect(gunzipSync(Buffer.from(again.body, "latin1")).toString()).toBe(page)
  })
})
