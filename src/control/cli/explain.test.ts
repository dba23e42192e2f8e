import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { main } from "./program.ts"
import type { Output } from "./terminal.ts"

const directory = mkdtempSync(join(tmpdir(), "bothways-explain-"))
afterAll(() => rmSync(directory, { recursive: true }))
const file = join(directory, "a.yaml")
writeFileSync(
  file,
  `listeners:
  web: { bind: "127.0.0.1:8080" }
  egress: { bind: "127.0.0.1:3128", forward: true }
clusters:
  shop: { peers: ["127.0.0.1:9001", "127.0.0.1:9002"] }
routes:
  - { name: api, match: { listener: web, host: shop.example, path: "/api/*", header: { X-Beta: "1" } }, to: { cluster: shop } }
  - { name: rest, match: { listener: web, host: shop.example }, to: { respond: { status: 200, body: hi } } }
  - { name: out, match: { listener: egress }, to: { origin: {} } }
`,
)

async function run(args: readonly string[], { env = {}, isTTY = false }: { env?: Record<string, string>; isTTY?: boolean } = {}) {
  let stdout = ""
  let stderr = ""
  const out: Output = { write: text => void (stdout += text), isTTY }
  const code = await main(["explain", ...args], { out, err: { write: text => void (stderr += text) }, env })
  return { code, stdout, stderr }
}

const url = "http://shop.example:8080/api/1"

test("from the request's head to its answer, line by line", async () => {
  const { code, stdout, stderr } = await run([file, "GET", url, "-H", "X-Beta: 1", "-H", "Connection: close"])
  expect([code, stderr]).toEqual([0, ""])
  expect(stdout).toBe(`request    GET /api/1 from 127.0.0.1, with Host, X-Beta, Connection
listener   web at 127.0.0.1:8080 (reverse); the URL names its address
read as    http, shop.example:8080, path /api/1
client     127.0.0.1 (the connection); no user

routes, the first that matches wins
  ✓ 1 api  matches: header, host, listener, path
  · 2 more are not tried

route      api
cache      no cache on this route
to         cluster shop, round-robin
           → one of 2: each peer in turn, in proportion to the weights, without bursts
              PEER            WEIGHT  HEALTH
           ✓  127.0.0.1:9001  1       unknown  not running, so its health is not known
           ✓  127.0.0.1:9002  1       unknown  not running, so its health is not known
timeouts   upstream connect 5s, head 1m, idle 1m, request none; client head 15s, body 30s, write 1m, idle 75s
retry      up to 2 attempts: when no connection can be made, when one breaks before the answer (GET is idempotent)
           as long as retries stay under 20% of the requests (3 a second are always allowed)
           bodies up to 64KB are kept for it
body       no limit; this request has none
upgrade    websocket; not asked for
fields     + X-Forwarded-For: 127.0.0.1
           + X-Forwarded-Proto: http
           + Via: 1.1 bothways-INSTANCE-0
           + X-Forwarded-Host: shop.example:8080
           - Connection

answer     the answer of one of 2 peers (127.0.0.1:9001, 127.0.0.1:9002) of cluster shop
`)
})

test("a rule that fails says why; what the client gets is the last line, refusals too, with exit code 0", async () => {
  const other = await run([file, "GET", url, "--from", "203.0.113.7"])
  expect(other.code).toBe(0)
  expect(other.stdout).toMatch(/ {2}✗ 1 api {3}header x-beta: "1" wanted, it is absent\n {2}✓ 2 rest {2}matches: host, listener\n/i)
  expect(other.stdout).toMatch(/\nanswer +200 OK with 2 octets, from the proxy itself\n$/)
  expect(other.stdout).toContain("from 203.0.113.7")
  const none = await run([file, "GET", "http://other.example/", "--listener", "web"])
  expect([none.code, none.stdout]).toEqual([0, expect.stringMatching(/\nanswer +404 Not Found, proxy\.no-route: No route matches the request\.\n$/)])
  const bad = await run([file, "GET", url, "-H", "X-A : 1"])
  expect([bad.code, bad.stdout]).toEqual([
    0,
    expect.stringMatching(/\nanswer +400 Bad Request, client\.malformed: .*the request's head is refused\)\n$/),
  ])
})

test("a forward listener: CONNECT, its port and address", async () => {
  const open = await run([file, "CONNECT", "shop.example:443"])
  expect([open.code, open.stdout]).toEqual([
    0,
    expect.stringMatching(/\nport +✓ 443 is among connectPorts \(443\)\naddress +\? each address.*\n[\s\S]*200 and a tunnel/),
  ])
  const closed = await run([file, "CONNECT", "shop.example:25"])
  expect([closed.code, closed.stdout]).toEqual([
    0,
    expect.stringMatching(/\nport +✗ 25 is not among[\s\S]*\nanswer +403 Forbidden, proxy\.port-forbidden/),
  ])
  const inner = await run([file, "GET", "http://[::ffff:10.0.0.1]/", "--listener", "egress"])
  expect(inner.stdout).toMatch(/\naddress +✗ 10\.0\.0\.1 is in 10\.0\.0\.0\/8/)
})

test("--json is the whole as plain data", async () => {
  const { code, stdout } = await run([file, "GET", url, "--json"], { isTTY: true })
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    request: { method: "GET", target: "/api/1", fields: ["Host"], from: "127.0.0.1" },
    listener: { name: "web", bind: ["127.0.0.1:8080"], tls: false, forward: false },
    identity: { client: "127.0.0.1", user: "" },
    rules: [
      { name: "api", result: "fails" },
      { name: "rest", result: "wins" },
      { name: "out", result: "not tried" },
    ],
    route: { name: "rest", destination: { kind: "answer", name: "respond" } },
    answer: { kind: "reply", status: 200 },
  })
})

test("colour on terminals only", async () => {
  expect((await run([file, "GET", url])).stdout).not.toContain("\x1b[")
  expect((await run([file, "GET", url], { isTTY: true, env: { NO_COLOR: "1" } })).stdout).not.toContain("\x1b[")
  expect((await run([file, "GET", url], { isTTY: true })).stdout).toContain("\x1b[32m✓\x1b[39m")
})

describe("--admin", () => {
  const peer = (name: string, health: string) => ({ name, host: "127.0.0.1", health, available: health !== "down", ejectedForMs: 0, inFlight: 0 })
  const status = { name: "bothways", clusters: [{ name: "shop", peers: [peer("127.0.0.1:9001", "down"), peer("127.0.0.1:9002", "up")] }] }
  const tokens: (string | undefined)[] = []

  async function withAdmin<T>(body: string, use: (address: string) => Promise<T>): Promise<T> {
    const server = createServer((request, response) => {
      tokens.push(request.headers.authorization)
      response.end(body)
    })
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
    try {
      return await use(`127.0.0.1:${(server.address() as AddressInfo).port}`)
    } finally {
      server.close()
    }
  }

  test("takes the peers' health from the running instance", async () => {
    const args = [file, "GET", url, "-H", "X-Beta: 1"]
    const told = await withAdmin(JSON.stringify(status), admin => run([...args, "--admin", admin], { env: { BOTHWAYS_ADMIN_TOKEN: "secret" } }))
    expect([told.code, told.stderr]).toEqual([0, ""])
    expect(told.stdout).toMatch(/→ 127\.0\.0\.1:9002: the only candidate\n/)
    expect(told.stdout).toMatch(/- +127\.0\.0\.1:9001 +1 +down +down by its health check\n +✓ +127\.0\.0\.1:9002 +1 +up\n/)
    expect(told.stdout).toMatch(/answer +the answer of peer 127\.0\.0\.1:9002 of cluster shop\n$/)
    expect(tokens).toEqual(["Bearer secret"])
  })

  test("the config's own address when none is given", async () => {
    await withAdmin(JSON.stringify(status), async admin => {
      const own = join(directory, "own.yaml")
      writeFileSync(
        own,
        `listeners: { web: { bind: "127.0.0.1:8080" } }\nclusters: { shop: { peers: ["127.0.0.1:9001", "127.0.0.1:9002"] } }\nroutes: [ { to: { cluster: shop } } ]\nadmin: { bind: "${admin}" }\n`,
      )
      expect((await run([own, "GET", url, "--admin"])).stdout).toContain("→ 127.0.0.1:9002: the only candidate")
    })
  })

  test("an instance that does not answer takes nothing from the answer but the health", async () => {
    const gone = await run([file, "GET", url, "-H", "X-Beta: 1", "--admin", "127.0.0.1:1"])
    expect([gone.code, gone.stderr]).toEqual([
      0,
      expect.stringMatching(/^warning: no instance answers at 127\.0\.0\.1:1 .*; the health of peers is not known\n$/),
    ])
    expect(gone.stdout).toContain("unknown")
    const other = await withAdmin("<html>", admin => run([file, "GET", url, "--admin", admin]))
    expect([other.code, other.stderr]).toEqual([0, expect.stringContaining("does not answer as the admin API of bothways")])
  })
})

describe("what is not a question is said in one line, with exit code 2", () => {
  const bad = join(directory, "bad.yaml")
  writeFileSync(bad, "listeners: { web: { bnid: 1 } }\n")
  const cases: [string, readonly string[], RegExp][] = [
    ["no URL", [file, "GET", "shop.example/x"], /^bothways: expected a URL such as/],
    ["a user in the URL", [file, "GET", "http://a:b@shop.example/"], /^bothways: the URL has a user or a password/],
    [
      "no such listener",
      [file, "GET", "http://a.test/", "--listener", "nope"],
      /^bothways: there is no listener "nope"; expected one of web, egress\n/,
    ],
    [
      "which listener",
      [file, "GET", "http://a.test/"],
      /^bothways: no listener waits for http at a\.test; say which one with --listener: web, egress\n/,
    ],
    ["no field", [file, "GET", url, "-H", "no colon"], /^bothways: expected a field/],
    ["no address", [file, "GET", url, "--from", "nowhere"], /^bothways: expected the client's address/],
    ["no config", [join(directory, "none.yaml"), "GET", "http://a.test/"], /there is no such file/],
    ["a config that is wrong", [bad, "GET", "http://a.test/"], /bad\.yaml:1:\d+: error/],
    ["no URL at all", [file, "GET"], /missing required argument 'url'/],
    ["no admin address", [file, "GET", url, "--admin", "nonsense"], /^bothways: expected an admin address such as/],
  ]
  for (const [name, args, reason] of cases) {
    test(name, async () => {
      const { code, stdout, stderr } = await run(args)
      expect([code, stdout, stderr]).toEqual([2, "", expect.stringMatching(reason)])
      expect(stderr).not.toContain("    at ")
    })
  }
})
