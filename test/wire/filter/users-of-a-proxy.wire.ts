import { afterAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { run } from "../../support/run.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const port = await freePort()
const BYTES = 60_000
/** Sends so much as soon as it hears something. */
const origin = await scriptedServer(async connection => {
  await connection.through("\n")
  connection.send("t".repeat(BYTES))
  connection.fin()
})
const sha = (password: string): string => `{SHA}${new Bun.CryptoHasher("sha1").update(password).digest("base64")}`
const users = join(temporaryFolder("users"), "users")
writeFileSync(users, `ann:${sha("a")}\nbob:${sha("b")}\n`)
const proxy = await startBothways({
  listeners: {
    egress: {
      bind: `127.0.0.1:${port}`,
      forward: { privateRanges: "allow", connectPorts: ["1-65535"], ports: ["1-65535"], auth: { htpasswd: users } },
    },
  },
  routes: [
    { match: { user: "ann" }, filters: [{ bandwidth: { down: "128KB", key: "user" } }], to: { origin: {} } },
    { match: { host: "search.test" }, filters: [{ "safe-search": { also: { "search.test": "localhost" } } }], to: { origin: {} } },
    { name: "games", match: { host: "games.test" }, to: { block: { contact: "it@school.example" } } },
    { match: {}, filters: [{ "concurrency-limit": { requests: 1, key: "user" } }], to: { origin: {} } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

const head = (authority: string, user: string): string =>
  `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nProxy-Authorization: Basic ${Buffer.from(user).toString("base64")}\r\n\r\n`

/** A tunnel that brings its octets; how long they took. */
async function carried(authority: string, user: string): Promise<{ readonly bytes: number; readonly ms: number }> {
  using client = await rawClient(port)
  client.send(head(authority, user))
  expect((await client.response("CONNECT")).status).toBe(200)
  const start = performance.now()
  client.send("go\n")
  const bytes = (await client.toEnd()).length
  return { bytes, ms: performance.now() - start }
}

describe("users of a proxy", () => {
  test("a tunnel of a user goes at the user's rate, two of them share it", async () => {
    const [one, two] = await Promise.all([carried(origin.address, "ann:a"), carried(origin.address, "ann:a")])
    expect([one.bytes, two.bytes]).toEqual([BYTES, BYTES])
    // 120 KB at 128 KB a second, but for what goes at once.
    expect(Math.max(one.ms, two.ms)).toBeGreaterThan(600)
    expect((await carried(origin.address, "bob:b")).ms).toBeLessThan(600)
  })

  test("a tunnel to a search engine reaches the name that is dialled instead, and is logged as what was asked for", async () => {
    expect((await carried(`search.test:${origin.port}`, "bob:b")).bytes).toBe(BYTES)
    const line = await until(() => proxy.log().find(one => one["host"] === "search.test"))
    expect(line).toMatchObject({ target: `search.test:${origin.port}`, rule: "safe-search:search.test", status: 200 })
  })

  test("a SOCKS client is a user like any other: blocked by the route, held to the rate", async () => {
    const socks = ["-s", "-S", "-m", "5", "--socks5-hostname", `127.0.0.1:${port}`]
    const blocked = await run("curl", ...socks, "-U", "bob:b", "http://games.test/")
    expect([blocked.code, blocked.stdout]).toEqual([97, ""])
    const start = performance.now()
    const paced = await run("curl", ...socks, "-U", "ann:a", "--http0.9", `http://${origin.address}/`)
    expect([paced.stdout.length, performance.now() - start > 200]).toEqual([BYTES, true])
  })

  test("a user has as many tunnels as may be", async () => {
    using first = await rawClient(port)
    first.send(head(origin.address, "bob:b"))
    expect((await first.response("CONNECT")).status).toBe(200)
    using second = await rawClient(port)
    second.send(head(origin.address, "bob:b"))
    expect((await second.response("CONNECT")).status).toBe(503)
  })

  test("a route blocks with the page, plain requests and tunnels", async () => {
    const via = ["-s", "-S", "-m", "5", "-x", `http://bob:b@127.0.0.1:${port}`]
    const page = await run("curl", ...via, "-i", "-H", "Accept: text/html", "http://games.test/a")
    expect([page.stdout.split("\r\n")[0], page.stdout.includes("mailto:it@school.example")]).toEqual(["HTTP/1.1 403 Blocked by policy: games", true])
    const tunnel = await run("curl", ...via, "-v", "https://games.test/")
    expect(tunnel.stderr).toContain("403 Blocked by policy: games")
  })
})
