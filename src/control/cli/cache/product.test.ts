import { afterAll, beforeAll, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { type Bothways, startBothways } from "../../../../test/support/bothways.ts"
import { freePort } from "../../../../test/support/ports.ts"
import { temporaryFolder } from "../../../../test/support/processes.ts"
import { until } from "../../../../test/support/wait.ts"
import { runCli } from "./run-cli.fixture.ts"

// The commands against the program itself: its admin API, its Cache-Status, its access log.
let origin: Server
let proxy: Bothways
let web: string
let admin: string[]
let log: string

beforeAll(async () => {
  origin = createServer((request, response) => {
    const path = request.url!
    response.setHeader("Cache-Control", path.startsWith("/private") ? "private" : "max-age=600")
    response.setHeader("Cache-Tag", `all, page-${path.slice(1)}`)
    if (path.startsWith("/vary")) response.setHeader("Vary", "Accept-Language")
    response.end("x".repeat(2000))
  })
  await new Promise<void>(resolve => origin.listen(0, "127.0.0.1", resolve))
  web = `127.0.0.1:${await freePort()}`
  log = join(temporaryFolder("cache-cli"), "access.log")
  proxy = await startBothways({
    listeners: { web: { bind: web } },
    clusters: { shop: { peers: [`127.0.0.1:${(origin.address() as AddressInfo).port}`] } },
    caches: { main: { memory: "16MB" } },
    routes: [{ name: "shop", filters: [{ cache: { store: "main" } }], to: { cluster: "shop" } }],
    observe: { accessLog: { format: "json", to: { file: log } } },
  })
  admin = ["--admin", proxy.admin.replace("http://", "")]
  for (const path of ["/a", "/a", "/a", "/b", "/b", "/vary", "/private"]) await get(path)
  await get("/vary", "de")
  await until(() => (lines().length >= 8 ? true : undefined), 5000, "the access log")
}, 20_000)

afterAll(async () => {
  await proxy.stop()
  origin.closeAllConnections()
  origin.close()
})

async function get(path: string, language = "en"): Promise<void> {
  await (await fetch(`http://${web}${path}`, { headers: { "Accept-Language": language } })).arrayBuffer()
}

function lines(): string[] {
  try {
    return readFileSync(log, "utf8").trim().split("\n")
  } catch {
    return []
  }
}

async function json(...args: string[]) {
  const { code, stdout, stderr } = await runCli(["cache", ...args, "--json"])
  expect([code, stderr]).toEqual([0, ""])
  return JSON.parse(stdout)
}

test("list, show, stats and report say what the instance has", async () => {
  const { stdout: listed } = await runCli(["cache", "list", ...admin])
  expect(listed).toMatch(/^fresh +200 +2\.\d KB +\d+s +\d+m.* memory +http:\/\/127\.0\.0\.1:\d+\/a /m)
  expect(listed).toMatch(/^pass: private /m)
  const { entries } = await json("list", "--tag", "page-b", ...admin)
  expect(entries).toMatchObject([{ cache: "main", url: `http://${web}/b`, status: 200, state: "fresh", tags: ["all", "page-b"] }])
  const { stdout: shown } = await runCli(["cache", "show", `http://${web}/vary`, ...admin])
  expect(shown.match(/^ {2}Vary: Accept-Language$/gm)).toHaveLength(2)
  expect((await json("stats", ...admin)).caches.main.routes.shop.results).toMatchObject({ hit: 3, miss: 5 })
  expect((await runCli(["cache", "stats", ...admin])).stdout).toMatch(/^main +shop +\d+\.\d % +5\.9 KB +3 /m)
  const { stdout: reported } = await runCli(["cache", "report", ...admin])
  expect(reported).toMatch(/^ +1 +2\.0 KB +private +shop +http:\/\/.*\/private$/m)
  expect(reported).toMatch(/^private: /m)
})

test("size reads the instance's log", async () => {
  expect(await json("size", "--from", log)).toMatchObject({
    requests: 7,
    urls: 3,
    log: { bad: 0, did: { hit: 3, miss: 5 }, leftOut: { uncacheable: 1 } },
  })
})

test("purge takes what it names, and warm brings it back", async () => {
  expect(await json("purge", "--url", `http://${web}/a`, ...admin)).toEqual({ purged: 1, caches: { main: { memory: 1, disk: 0 } } })
  // /private is not asked for: the log says that it cannot be kept
  const again = ["warm", "--from", log, "--to", `http://${web}`, "-H", "Accept-Language: en", "-H", "Accept-Encoding: identity"]
  const first = await json(...again)
  expect(first).toMatchObject({ urls: 3, failed: 0, statuses: { 200: 3 } })
  expect(first.stored).toBeGreaterThanOrEqual(1)
  expect(await json(...again)).toMatchObject({ hit: 3, stored: 0, uncacheable: 0 })
  expect(await json("purge", "--tag", "all", "--soft", ...admin)).toMatchObject({ purged: expect.any(Number) })
  expect((await json("list", "--url", `http://${web}/b`, ...admin)).entries).toMatchObject([{ state: "marked" }])
  await json("purge", "--all", ...admin)
  expect((await runCli(["cache", "list", ...admin])).stdout).toBe("no entry\n")
})

test("what the instance says of a wrong question", async () => {
  expect(await runCli(["cache", "purge", "--url", "no url", ...admin])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/url: expected a URL/),
  })
  expect(await runCli(["cache", "list", "--cache", "none", ...admin])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/there is no cache "none"; there is main/),
  })
  expect(await runCli(["cache", "list", "--limit", "999999", ...admin])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/limit: expected a number/),
  })
})
