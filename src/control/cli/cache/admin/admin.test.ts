import { describe, expect, test } from "bun:test"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { runCli } from "../run-cli.fixture.ts"

/** An admin listener with answers of our choice: what the commands ask, and what they make of it. */
class FakeAdmin implements AsyncDisposable {
  readonly asked: string[] = []
  token = ""
  private readonly server = createServer((request, response) => {
    this.asked.push(`${request.method} ${request.url}`)
    this.token = request.headers.authorization ?? ""
    const [status, body] = this.answer
    response.writeHead(status, { "Content-Type": "application/json" }).end(typeof body === "string" ? body : JSON.stringify(body))
  })
  answer: readonly [number, unknown] = [200, {}]

  async listen(): Promise<this> {
    await new Promise<void>(resolve => this.server.listen(0, "127.0.0.1", resolve))
    return this
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise(resolve => this.server.close(resolve))
  }
}

const admin = () => new FakeAdmin().listen()

const entry = {
  cache: "main",
  url: "http://shop.example/a",
  key: "cluster:shop",
  kind: "response",
  status: 200,
  bytes: 1500,
  age: 65,
  ttl: -5,
  state: "stale",
  tier: "memory",
  tags: ["t1", "t2"],
  vary: "",
  reason: "",
  head: "Content-Type: text/plain\r\nX-Odd: \x1b[31m\x9b\r\n",
}

describe("cache purge", () => {
  test("names what is to go, one thing a request, and adds up", async () => {
    await using server = await admin()
    server.answer = [200, { purged: 3, caches: { main: { memory: 2, disk: 1 }, other: { memory: 0, disk: 0 } } }]
    const at = ["--admin", server.address]
    const table: [string[], string[], string][] = [
      [
        ["--url", "http://a.test/x?y=1&z"],
        ["url=http%3A%2F%2Fa.test%2Fx%3Fy%3D1%26z"],
        "3 entries purged (main: 2 in memory, 1 on the disk; other: 0 in memory)\n",
      ],
      [
        ["--tag", "a b", "--tag", "c", "--soft"],
        ["tag=a+b&soft=true", "tag=c&soft=true"],
        "6 entries marked as stale (main: 4 in memory, 2 on the disk; other: 0 in memory)\n",
      ],
      [
        ["--host", "a.test", "--cache", "main"],
        ["cache=main&host=a.test"],
        "3 entries purged (main: 2 in memory, 1 on the disk; other: 0 in memory)\n",
      ],
      [
        ["--prefix", "http://a.test/i/"],
        ["prefix=http%3A%2F%2Fa.test%2Fi%2F"],
        "3 entries purged (main: 2 in memory, 1 on the disk; other: 0 in memory)\n",
      ],
      [["--all"], ["all=true"], "3 entries purged (main: 2 in memory, 1 on the disk; other: 0 in memory)\n"],
    ]
    for (const [args, queries, told] of table) {
      server.asked.length = 0
      expect(await runCli(["cache", "purge", ...args, ...at])).toEqual({ code: 0, stdout: told, stderr: "" })
      expect(server.asked).toEqual(queries.map(query => `POST /cache/purge?${query}`))
    }
    expect(JSON.parse((await runCli(["cache", "purge", "--all", "--json", ...at])).stdout)).toEqual(server.answer[1])
    expect(JSON.parse((await runCli(["cache", "purge", "--url", "a", "--url", "b", "--json", ...at])).stdout)).toEqual({
      purged: 6,
      caches: { main: { memory: 4, disk: 2 }, other: { memory: 0, disk: 0 } },
    })
  })

  test("nothing, or two kinds of things, are named: nothing is asked", async () => {
    await using server = await admin()
    for (const args of [[], ["--url", "http://a/", "--tag", "b"], ["--all", "--host", "a"]]) {
      const { code, stderr } = await runCli(["cache", "purge", ...args, "--admin", server.address])
      expect([code, stderr]).toEqual([2, expect.stringContaining("expected one of --url, --prefix, --host, --tag and --all")])
    }
    expect(server.asked).toEqual([])
  })
})

describe("cache list and show", () => {
  test("a table; entries of all kinds, of several caches; that there are more", async () => {
    await using server = await admin()
    const rule = { ...entry, kind: "vary-rule", status: 0, vary: "accept-encoding", state: "fresh", ttl: 0, age: 0 }
    const pass = { ...entry, cache: "other", kind: "pass-rule", status: 0, reason: "no-store", ttl: 30, tier: "disk" }
    server.answer = [200, { entries: [entry, rule, pass], more: true }]
    const { code, stdout } = await runCli(["cache", "list", "--prefix", "http://a", "--limit", "3", "--admin", server.address])
    expect([code, server.asked]).toEqual([0, ["GET /cache/entries?prefix=http%3A%2F%2Fa&limit=3"]])
    expect(stdout).toBe(
      [
        "STATE           STATUS  OCTETS    AGE  LEFT  TIER    CACHE  URL                    VARIANT",
        "stale              200  1.5 KB  1m 5s   -5s  memory  main   http://shop.example/a  cluster:shop",
        "vary rule               1.5 KB               memory  main   http://shop.example/a  accept-encoding",
        "pass: no-store          1.5 KB          30s  disk    other  http://shop.example/a  cluster:shop",
        "there are more; --limit shows more of them, --prefix fewer",
        "",
      ].join("\n"),
    )
    server.answer = [200, { entries: [entry], more: false }]
    expect((await runCli(["cache", "list", "--admin", server.address])).stdout).not.toContain("CACHE")
    server.answer = [200, { entries: [], more: false }]
    expect((await runCli(["cache", "list", "--host", "a.test", "--admin", server.address])).stdout).toBe("no entry\n")
    expect(server.asked.at(-1)).toBe("GET /cache/entries?host=a.test")
  })

  test("one URL in full; what came over the wire does not steer the terminal", async () => {
    await using server = await admin()
    server.answer = [
      200,
      { entries: [entry, { ...entry, kind: "pass-rule", status: 0, reason: "private", ttl: 30, head: "", tags: [] }], more: false },
    ]
    const { stdout } = await runCli(["cache", "show", "http://shop.example/a", "--admin", server.address])
    expect(server.asked).toEqual(["GET /cache/entry?url=http%3A%2F%2Fshop.example%2Fa"])
    expect(stdout).toBe(
      [
        "http://shop.example/a",
        "  cache   main, memory, 1.5 KB",
        "  state   stale, for 5s, 1m 5s old",
        "  status  200",
        "  variant cluster:shop",
        "  tags    t1, t2",
        "  Content-Type: text/plain",
        "  X-Odd: \\x1B[31m\\x9B",
        "",
        "http://shop.example/a",
        "  cache   main, memory, 1.5 KB",
        "  state   a rule: not stored for 30s more (private)",
        "  variant cluster:shop",
        "",
        "2 entries",
        "",
      ].join("\n"),
    )
  })
})

describe("cache stats and report", () => {
  test("how full, and what came of requests", async () => {
    await using server = await admin()
    const results = { hit: 1234, stale: 0, revalidated: 1, coalesced: 2, miss: 10, pass: 3, bypass: 4 }
    const counts = { results, hitRatio: 0.9876, bytesSaved: 5 * 1024 ** 3 }
    const memory = { entries: 5, usedBytes: 2048, bytes: 64 * 1024 ** 2, inserted: 12, evicted: 3, purged: 4, retired: false }
    const disk = { state: "scanning", entries: 7, bytes: 1024, bytesMax: 1024 ** 4, counts: { stored: 8, evicted: 9 } }
    server.answer = [
      200,
      { caches: { main: { memory, disk, ...counts, routes: { shop: counts } }, small: { memory, disk: null, ...counts, routes: {} } } },
    ]
    const { stdout } = await runCli(["cache", "stats", "--admin", server.address])
    expect(stdout).toBe(
      [
        "CACHE  TIER             ENTRIES    USED       OF  INSERTED  EVICTED  PURGED",
        "main   memory                 5  2.0 KB  64.0 MB        12        3       4",
        "main   disk (scanning)        7  1.0 KB   1.0 TB         8        9",
        "small  memory                 5  2.0 KB  64.0 MB        12        3       4",
        "",
        "CACHE  ROUTE       HIT RATIO   SAVED    HIT  STALE  REVALIDATED  COALESCED  MISS  PASS  BYPASS",
        "main   all routes     98.8 %  5.0 GB  1,234      0            1          2    10     3       4",
        "main   shop           98.8 %  5.0 GB  1,234      0            1          2    10     3       4",
        "small  all routes     98.8 %  5.0 GB  1,234      0            1          2    10     3       4",
        "",
      ].join("\n"),
    )
    server.answer = [200, { caches: {} }]
    expect((await runCli(["cache", "stats", "--admin", server.address])).stdout).toBe("there is no cache\n")
  })

  test("what is not kept, and each reason once", async () => {
    await using server = await admin()
    const url = {
      url: "http://a.test/1",
      route: "shop",
      reason: "no-store",
      requests: 1500,
      bytes: 3000,
      meaning: "It says no-store.",
      remedy: "Say less.",
    }
    server.answer = [200, { urls: [url, { ...url, url: "http://a.test/2", requests: 2 }] }]
    const { stdout } = await runCli(["cache", "report", "--limit", "2", "--admin", server.address])
    expect(server.asked).toEqual(["GET /cache/report?limit=2"])
    expect(stdout).toBe(
      [
        "REQUESTS  OCTETS  REASON    ROUTE  URL",
        "   1,500  2.9 KB  no-store  shop   http://a.test/1",
        "       2  2.9 KB  no-store  shop   http://a.test/2",
        "",
        "no-store: It says no-store.",
        "  Say less.",
        "",
      ].join("\n"),
    )
    server.answer = [200, { urls: [] }]
    expect((await runCli(["cache", "report", "--admin", server.address])).stdout).toBe("nothing was asked for that is not kept\n")
  })
})

describe("an instance that does not answer as asked", () => {
  const commands = [["purge", "--all"], ["list"], ["show", "http://a.test/"], ["stats"], ["report"]]

  test("its words for a wrong question, the token it wants, another server", async () => {
    await using server = await admin()
    const answers: [readonly [number, unknown], number, RegExp][] = [
      [[400, { error: "url: expected a URL" }], 2, /^bothways: url: expected a URL\n$/],
      [[404, { error: 'there is no cache "x"; there is main' }], 2, /^bothways: there is no cache "x"; there is main\n$/],
      [[401, { error: "expected Authorization" }], 4, /answered 401; it wants the admin token: set BOTHWAYS_ADMIN_TOKEN/],
      [[500, { error: "internal error; see the log" }], 4, /answered 500; internal error; see the log/],
      [[200, "<html>"], 4, /answered 200; is this the admin address of bothways\?/],
      [[404, "not found"], 4, /answered 404; is this the admin address/],
    ]
    for (const [answer, exit, reason] of answers) {
      server.answer = answer
      for (const command of commands) {
        const { code, stdout, stderr } = await runCli(["cache", ...command, "--admin", server.address])
        expect([command, code, stdout, stderr]).toEqual([command, exit, "", expect.stringMatching(reason)])
      }
    }
  })

  test("nobody there, and the token of the environment", async () => {
    for (const command of commands) {
      const { code, stderr } = await runCli(["cache", ...command, "--admin", "127.0.0.1:1"])
      expect([code, stderr]).toEqual([4, expect.stringContaining("no instance answers at 127.0.0.1:1")])
    }
    await using server = await admin()
    server.answer = [200, { urls: [] }]
    await runCli(["cache", "report", "--admin", server.address], { BOTHWAYS_ADMIN_TOKEN: "secret" })
    expect(server.token).toBe("Bearer secret")
    expect(await runCli(["cache", "list", "--limit", "0", "--admin", server.address])).toMatchObject({ code: 2 })
  })
})

test("every command has help of its own", async () => {
  for (const command of ["size", "warm", "purge", "list", "show", "stats", "report"]) {
    const { code, stdout } = await runCli(["cache", command, "--help"])
    expect([command, code]).toEqual([command, 0])
    expect(stdout).toContain(`bothways cache ${command}`)
  }
  expect(await runCli(["cache"])).toMatchObject({ code: 2, stderr: expect.stringContaining("Commands:") })
})
