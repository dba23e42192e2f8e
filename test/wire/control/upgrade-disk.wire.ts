import { afterAll, expect, test } from "bun:test"
import { mkdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { freePort } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { Upgraded } from "../../support/upgraded.ts"
import { pause, until } from "../../support/wait.ts"

// A cache on disk belongs to one process: the old one lets go of it before the new one opens it, and takes it again when the new one fails.
const MB = 1024 * 1024
const big = Buffer.alloc(24 * MB, "0123456789abcdef-")
const folder = temporaryFolder("disk")
const foreign = join(folder, "foreign")
mkdirSync(foreign)
writeFileSync(join(foreign, "letter.txt"), "not ours")
let asked = 0
const origin = createServer((request, response) => {
  asked++
  response.writeHead(200, { "Cache-Control": "max-age=6000", "Content-Length": big.length, "X-Count": asked })
  if (!request.url!.startsWith("/slow")) return void response.end(big)
  response.write(big.subarray(0, MB))
  setTimeout(() => response.end(big.subarray(MB)), 1500)
})
await new Promise<void>(resolve => origin.listen(0, "127.0.0.1", resolve))
const port = await freePort()
const config = (more: object = {}): object => ({
  drain: { timeout: "6s" },
  admin: { bind: `127.0.0.1:${admin}` },
  workers: 2,
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: { a: { peers: [`127.0.0.1:${(origin.address() as AddressInfo).port}`] } },
  caches: { main: { memory: "1MB", disk: { path: join(folder, "cache"), size: "1GB" } }, ...more },
  routes: [{ filters: [{ cache: { store: "main" } }], to: { cluster: "a" } }],
  observe: { accessLog: { to: "none" } },
})
const admin = await freePort()
const proxy = await Upgraded.start(config(), { args: ["--no-watch"] })
afterAll(async () => {
  await proxy[Symbol.asyncDispose]()
  origin.close()
})

/** Reads the body no faster than a piece for each pause. */
async function get(target: string, pauseMs = 0): Promise<{ whole: boolean; hit: boolean; count: number }> {
  const response = await fetch(`http://127.0.0.1:${port}${target}`, { keepalive: false })
  const hit = /; hit/.test(response.headers.get("cache-status") ?? "")
  const parts: Uint8Array[] = []
  for await (const part of response.body!) {
    parts.push(part)
    if (pauseMs > 0 && parts.length % 8 === 0) await pause(pauseMs)
  }
  return { whole: Buffer.concat(parts).equals(big), hit, count: Number(response.headers.get("x-count")) }
}

test("downloads from the disk, and onto it, go on; the new process has what was stored", async () => {
  expect(await get("/a")).toEqual({ whole: true, hit: false, count: 1 })
  await until(async () => (await get("/a")).hit)
  const reading = [get("/a", 25), get("/a", 25), get("/slow")]
  await pause(300)
  expect(await proxy.upgrade()).toMatchObject({ ok: true })
  expect(await Promise.all(reading)).toEqual([
    { whole: true, hit: true, count: 1 },
    { whole: true, hit: true, count: 1 },
    { whole: true, hit: false, count: 2 },
  ])
  // What is stored comes when the old one writes no more.
  expect((await until(async () => ((await get("/a")).hit ? get("/a") : null))).count).toBe(1)
  expect((await get("/slow")).count).toBe(2)
  await proxy.othersEnded()
}, 30_000)

test("a new process that cannot use its disks leaves them to the old one", async () => {
  proxy.first.rewrite(config({ other: { memory: "1MB", disk: { path: foreign, size: "1GB" } } }))
  expect(await proxy.upgrade()).toMatchObject({ ok: false, reason: expect.stringContaining("letter.txt") })
  const before = asked
  await until(async () => (await get("/a")).hit)
  const later = asked
  expect((await get("/a")).hit).toBe(true)
  expect([later - before <= 2, asked - later]).toEqual([true, 0])
}, 30_000)
