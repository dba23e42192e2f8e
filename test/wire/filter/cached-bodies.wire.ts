import { afterAll, expect, test } from "bun:test"
import { brotliDecompressSync, gunzipSync, gzipSync, zstdDecompressSync } from "node:zlib"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"

// What a cache has in memory that workers share goes through the filters as what comes from a peer does; what it has compressed itself is not compressed again.
const web = await freePort()
const text = "a line of a long text, and more of it\n".repeat(20_000)
const packed = gzipSync(text)
let asked = 0
const upstream = await scriptedServer(async connection => {
  while (true) {
    const { start } = await connection.request(3_600_000)
    asked++
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=600\r\nETag: "t"\r\n'
    const body = start.includes("/packed") ? packed : Buffer.from(text)
    connection.send(`${head}${start.includes("/packed") ? "Content-Encoding: gzip\r\n" : ""}Content-Length: ${body.length}\r\n\r\n`)
    connection.send(body)
  }
})
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${web}` } },
  clusters: { a: { peers: [upstream.address] } },
  caches: { main: { memory: "64MB" } },
  routes: [
    { match: { path: "/twice/*" }, filters: [{ cache: { store: "main", compress: ["gzip"] } }, "compress"], to: { cluster: "a" } },
    {
      match: {},
      filters: [
        { cache: { store: "main" } },
        { decompress: { response: "always" } },
        { replace: { body: [{ find: "long text", with: "short text" }] } },
        "compress",
        { buffer: { response: true } },
      ],
      to: { cluster: "a" },
    },
  ],
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

const decoders = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync }
const wanted = text.replaceAll("long text", "short text")

test.each(["/plain", "/packed"])("%s: hits are inflated, changed and compressed", async path => {
  for (const coding of ["gzip", "br", "zstd", "gzip"] as const) {
    const { said, octets } = await get(path, `Accept-Encoding: ${coding}\r\n`)
    expect(said["content-encoding"]).toBe(coding)
    expect(decoders[coding](octets).toString() === wanted).toBe(true)
  }
  expect((await get(path)).octets.toString() === wanted).toBe(true)
  const before = asked
  await get(path, "Accept-Encoding: gzip\r\n")
  expect(asked).toBe(before)
})

test("what the cache has compressed is not compressed again", async () => {
  for (let i = 0; i < 20; i++) {
    const { said, octets } = await get("/twice/a", "Accept-Encoding: gzip\r\n")
    expect(said["content-encoding"]).toBe("gzip")
    expect(gunzipSync(octets).toString() === text).toBe(true)
    await Bun.sleep(10)
  }
})

test("a part of a hit is not touched", async () => {
  const { status, said, octets } = await get("/plain", "Accept-Encoding: gzip\r\nRange: bytes=0-99999\r\n")
  expect([status, said["content-encoding"], octets.toString() === text.slice(0, 100_000)]).toEqual([206, undefined, true])
})
