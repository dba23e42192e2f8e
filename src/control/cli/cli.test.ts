import { afterAll, describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runBothways } from "../../../test/support/bothways.ts"
import type { Status } from "../admin/status.ts"
import { version } from "../version.ts"
import { main } from "./program.ts"
import { statusText } from "./status-text.ts"
import { styleOf, table, wantsColor, withProgress } from "./terminal.ts"

const directory = mkdtempSync(join(tmpdir(), "bothways-cli-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function write(name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

const good = write(
  "good.yaml",
  'listeners:\n  web: { bind: "127.0.0.1:8080" }\nclusters:\n  shop: { peers: ["127.0.0.1:9001"] }\nroutes:\n  - to: { cluster: shop }\n',
)
const bad = write(
  "bad.yaml",
  'listeners:\n  web: { bnid: "127.0.0.1:8080" }\nclusters:\n  shop: { peers: ["127.0.0.1:9001"], balance: rondom }\nroutes:\n  - to: { cluster: shop }\n',
)
const odd = write(
  "odd.yaml",
  'listeners:\n  web: { bind: "127.0.0.1:8080" }\nclusters:\n  shop: { peers: ["127.0.0.1:9001", "127.0.0.1:9001"] }\nroutes:\n  - to: { cluster: shop }\n',
)

/** The command line in this process: as the program, without its start. */
async function run(args: readonly string[], env: Record<string, string> = {}) {
  let stdout = ""
  let stderr = ""
  const code = await main(args, { out: { write: text => void (stdout += text) }, err: { write: text => void (stderr += text) }, env })
  return { code, stdout, stderr }
}

function taken(): Promise<{ port: number; close(): void }> {
  return new Promise(resolve => {
    const server = createServer((request, response) => response.end(`${request.method} ${request.url}`))
    server.listen(0, "127.0.0.1", () => resolve({ port: (server.address() as AddressInfo).port, close: () => server.close() }))
  })
}

describe("the program", () => {
  test("its commands as processes: output on the right stream, exit codes as documented", async () => {
    const [help, told, schema, fine, broken, unknown, none] = await Promise.all([
      runBothways(["--help"]),
      runBothways(["version"]),
      runBothways(["schema"]),
      runBothways(["check", good]),
      runBothways(["check", bad]),
      runBothways(["frobnicate"]),
      runBothways(["status", "--admin", "127.0.0.1:1"]),
    ])
    expect([help, told, schema, fine, broken, unknown, none].map(result => result.code)).toEqual([0, 0, 0, 0, 2, 2, 4])
    for (const word of ["run", "reverse", "forward", "demo", "check", "reload", "status", "cache", "Exit codes", "Examples"])
      expect(help.stdout).toContain(word)
    expect(told.stdout).toContain(`bothways ${version} (bun `)
    expect(JSON.parse(schema.stdout).properties.listeners).toBeDefined()
    expect(fine.stdout).toContain("ok, 1 listener, 1 cluster, 1 route")
    expect(broken.stderr).toMatch(/bad\.yaml:2:10: error: .*unknown key "bnid".*did you mean "bind"/)
    expect(broken.stderr).toMatch(/bad\.yaml:4:\d+: error: .*rondom/)
    expect(unknown.stderr).toContain("unknown command")
    expect(none.stderr).toContain("no instance answers at 127.0.0.1:1")
    expect(broken.stderr + help.stdout).not.toContain("\x1b[")
  }, 15_000)

  test("a taken port: one line, exit code 3, and the flag or key that changes it", async () => {
    const other = await taken()
    const address = `127.0.0.1:${other.port}`
    const config = write("taken.yaml", `listeners:\n  web: { bind: "${address}" }\nroutes:\n  - to: { respond: { body: hi } }\n`)
    const [byFile, byFlag, demo, byAdmin] = await Promise.all([
      runBothways(["run", config]),
      runBothways(["reverse", "--listen", address, "--to", ":1"]),
      runBothways(["demo", "--reverse-port", String(other.port), "--forward-port", "1", "--admin-port", "2"]),
      runBothways(["forward", "--listen", "127.0.0.1:0", "--admin", address]),
    ])
    other.close()
    expect([byFile, byFlag, demo, byAdmin].map(result => result.code)).toEqual([3, 3, 3, 3])
    expect(byFile.stderr).toBe(
      `bothways: cannot listen on ${address}: another program has taken this port; choose another with listeners.web.bind in the config\n`,
    )
    expect(byFlag.stderr).toBe(`bothways: cannot listen on ${address}: another program has taken this port; choose another with --listen\n`)
    expect(demo.stderr).toContain(`bothways: cannot listen on ${address}: another program has taken this port; choose another with --reverse-port\n`)
    expect(byAdmin.stderr).toBe(`bothways: cannot listen on ${address}: another program has taken this port; choose another with --admin\n`)
  }, 15_000)

  test("a reader that has heard enough, and a disk that is full", async () => {
    const program = `"${process.execPath}" "${join(import.meta.dirname, "../../main.ts")}" schema`
    const shell = (script: string) => spawnSync("sh", ["-c", script], { encoding: "utf8" })
    expect(shell(`{ ${program}; echo "exit $?" >&2; } | head -n 1`)).toMatchObject({ stdout: "{\n", stderr: "exit 0\n" })
    expect(shell(`${program} > /dev/full`)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^bothways: what was to be said .*ENOSPC.*\n$/),
    })
  }, 15_000)

  test("run with a broken config: refused with its problems, exit code 2", async () => {
    const { code, stderr } = await runBothways(["run", bad])
    expect(code).toBe(2)
    expect(stderr).toMatch(/bad\.yaml:2:10/)
    expect(stderr).toContain("not started")
  }, 15_000)
})

describe("check", () => {
  test("warnings fail only with --strict", async () => {
    const lax = await run(["check", odd])
    expect(lax.code).toBe(0)
    expect(lax.stderr).toContain("warning")
    expect(lax.stdout).toContain("1 warning")
    expect((await run(["check", "--strict", odd])).code).toBe(2)
    expect((await run(["check", "--strict", good])).code).toBe(0)
  })

  test("a password file with a line that is none, at its place in the config", async () => {
    write("users", "alice:plaintext\n")
    const path = write(
      "auth.yaml",
      'listeners:\n  out: { bind: "127.0.0.1:1", forward: { auth: { htpasswd: users } } }\nroutes:\n  - match: { listener: out }\n    to: { origin: {} }\n',
    )
    expect(await run(["check", path])).toMatchObject({ code: 2, stderr: expect.stringMatching(/:2:60: error: .*auth\.htpasswd: .*users: line 1/) })
  })

  test("--json for machines", async () => {
    const { code, stdout, stderr } = await run(["check", "--json", bad])
    const report = JSON.parse(stdout)
    expect(code).toBe(2)
    expect(stderr).toBe("")
    expect(report).toMatchObject({ ok: false })
    expect(report.problems.length).toBeGreaterThanOrEqual(2)
    expect(report.problems[0]).toMatchObject({ severity: "error", line: expect.any(Number), message: expect.any(String) })
  })

  test("a file that is not there, a directory without fragments", async () => {
    const missing = await run(["check", join(directory, "none.yaml")])
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining("there is no such file")])
    const empty = mkdtempSync(join(directory, "empty-"))
    expect(await run(["check", empty])).toMatchObject({ code: 2, stderr: expect.stringContaining("no fragments") })
  })
})

describe("usage", () => {
  const table: [readonly string[], RegExp][] = [
    [["reverse"], /--to/],
    [["reverse", "--to", "ftp://x"], /--to: expected/],
    [["reverse", "--to", ":1", "--log", "loud"], /--log: expected/],
    [["reverse", "--to", ":1", "--balance", "rondom"], /^bothways: --balance: unknown balancer "rondom"; did you mean "random"/],
    [
      ["reverse", "--to", ":1", "--cert", "no.pem", "--key", "no.key"],
      /^bothways: --cert: .*no.pem: there is no such file\nbothways: --key: .*no.key: there is no such file\n/,
    ],
    [["reverse", "--to", "http://a.test/path"], /--to: a target has no path/],
    [["forward", "--listen", "nonsense"], /^bothways: --listen: "nonsense" is not an address/],
    [["forward", "--privacy", "total"], /^bothways: --privacy: expected "transparent"/],
    [["forward", "--connect-ports", "443,70000"], /^bothways: --connect-ports: "70000" is not a port/],
    [["forward", "--htpasswd", "no-users"], /^bothways: --htpasswd: .*no-users: there is no such file/],
    [["forward", "--admin", "nonsense"], /--admin/],
    [["demo", "--reverse-port", "0"], /port from 1 to 65535/],
    [["run", good, "--workers", "0"], /auto or a number/],
    [["run", good, "--frob"], /^bothways: unknown option/],
    [["check", "a", "b"], /too many arguments/],
    [["status", "--admin", "nonsense"], /admin address such as/],
  ]
  for (const [args, reason] of table) {
    test(`${args.join(" ").replace(directory, "")} is refused in words, with exit code 2`, async () => {
      const { code, stderr } = await run(args)
      expect([code, stderr]).toEqual([2, expect.stringMatching(reason)])
      expect(stderr).not.toContain("    at ")
    })
  }

  test("every command has help of its own", async () => {
    for (const command of ["run", "reverse", "forward", "demo", "check", "explain", "schema", "reload", "status", "cache", "version"]) {
      const { code, stdout } = await run([command, "--help"])
      expect([command, code]).toEqual([command, 0])
      expect(stdout).toContain(`bothways ${command}`)
    }
  })
})

describe("talking to something that is not an instance", () => {
  test("another server: said so, exit code 4", async () => {
    const other = await taken()
    const status = await run(["status", "--admin", `127.0.0.1:${other.port}`])
    const reload = await run(["reload", "--admin", `127.0.0.1:${other.port}`])
    other.close()
    expect([status.code, status.stderr]).toEqual([4, expect.stringContaining("is this the admin address")])
    expect([reload.code, reload.stderr]).toEqual([4, expect.stringContaining("is this the admin address")])
  })

  test("a config with the admin API off, or a broken one, cannot name it", async () => {
    expect(await run(["status", "--config", good])).toMatchObject({ code: 2, stderr: expect.stringContaining("the admin API is off") })
    expect(await run(["status", "--config", bad])).toMatchObject({ code: 2, stderr: expect.stringContaining("is not usable") })
  })
})

describe("terminal", () => {
  const screen = { write() {}, isTTY: true }
  test("colour only on a terminal that wants it", () => {
    expect(wantsColor(screen, {})).toBe(true)
    expect(wantsColor(screen, { NO_COLOR: "" })).toBe(true)
    for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }]) expect(wantsColor(screen, env)).toBe(false)
    expect(wantsColor({ write() {} }, {})).toBe(false)
    expect(styleOf(screen, {}).red("x")).toBe("\x1b[31mx\x1b[39m")
    expect(styleOf(screen, { NO_COLOR: "1" }).red("x")).toBe("x")
  })

  test("progress is told only when it takes long", async () => {
    const said: string[] = []
    const terminal = { out: screen, err: { write: (text: string) => void said.push(text) }, env: {} }
    await withProgress(terminal, "quick", Promise.resolve(1), 20)
    expect(said).toEqual([])
    await withProgress(terminal, "slow", new Promise(resolve => setTimeout(resolve, 50)), 20)
    expect(said).toEqual(["slow …\n"])
  })

  test("columns", () => {
    expect(
      table([
        ["A", "LONG"],
        ["abc", "d"],
      ]),
    ).toBe("A    LONG\nabc  d\n")
    expect(
      table([
        ["A", "NONE", "C"],
        ["1", "", "2"],
        ["", "", "3"],
      ]),
    ).toBe("A  C\n1  2\n   3\n")
  })
})

test("the status as people read it", () => {
  const status: Status = {
    name: "bothways",
    version: "1.2.3",
    pid: 7,
    instance: "ab",
    state: "degraded",
    startedAt: "2026-01-01T00:00:00.000Z",
    uptimeMs: 3_723_000,
    rssBytes: 64 * 1024 ** 2,
    config: {
      version: 4,
      source: "/etc/bothways.yaml",
      committedAt: "2026-01-01T00:00:00.000Z",
      lastReload: {
        trigger: "SIGHUP",
        at: "2026-01-01T01:00:00.000Z",
        tookMs: 3,
        ok: false,
        problems: [{ message: "unknown key", where: "a.yaml:3:1", expected: "" }],
      },
    },
    workers: [
      { index: 0, state: "waiting", configVersion: 0, restarts: 3, aliveMs: 0, heartbeatAgeMs: 120, connections: 0, exchanges: 0, detail: null },
    ],
    listeners: [{ name: "web", bind: ["127.0.0.1:80", "[::1]:80"], tls: true, forward: false, connections: 5 }],
    certificates: [
      {
        name: "shop.test",
        state: "temporary",
        issuing: false,
        issuer: "",
        validTo: "",
        renewAt: "",
        retryAt: "2026-01-01T02:00:00.000Z",
        lastError: "letsencrypt: rateLimited: too many",
        onDemand: false,
      },
      {
        name: "good.test",
        state: "valid",
        issuing: true,
        issuer: "letsencrypt",
        validTo: "2026-04-01T00:00:00.000Z",
        renewAt: "2026-03-01T00:00:00.000Z",
        retryAt: "",
        lastError: "",
        onDemand: true,
      },
    ],
    clusters: [
      {
        name: "shop",
        available: 0,
        unresolved: ['"app-2.test" does not resolve: timeout'],
        changed: [],
        retryBudget: { requests: 1000, retries: 12, share: 0.2 },
        resilience: {
          inFlight: 9,
          pending: 2,
          retries: 1,
          requestsMax: 10,
          breaker: { state: "closed", openForMs: 0, opened: 3 },
          queue: { length: 7, lengthMax: 100, waiting: { critical: 0, high: 2, normal: 5, low: 0 } },
          adaptive: { limit: 12, unanswered: 8, baselineMs: 4.2 },
          panic: true,
        },
        peers: [
          {
            name: "10.0.0.1:80",
            host: "app.test",
            weight: 1,
            backup: true,
            health: "down",
            available: false,
            draining: false,
            ejectedForMs: 4200,
            ejectedBy: "latency",
            breaker: { state: "open", openForMs: 4000, opened: 2 },
            inFlight: 1,
            requests: 9,
            failures: 5,
            ejections: 1,
          },
        ],
      },
    ],
    connections: 5,
    exchanges: 1,
  }
  const text = statusText(status, styleOf({ write() {} }, {}))
  for (const part of [
    "bothways 1.2.3  degraded  up 1h 2m",
    "memory 64MB",
    "last reload refused",
    "in flight 9 of 10, 2 without a connection · breaker closed (opened 3 times) · queue 7 of 100 (2 high, 5 normal)",
    "adaptive limit 12 (8 without an answer, 4.2ms at rest) · too few peers are available: all of them get requests · retries 12 of 200 in 10s",
    "10.0.0.1:80: ejected by latency, 4s left",
    "10.0.0.1:80: breaker open, trials in 4s",
    "a.yaml:3:1: unknown key",
    "127.0.0.1:80 [::1]:80",
    "no answer",
    "0 of 1 peers available",
    "10.0.0.1:80 (backup)",
    "app.test",
    "app-2.test",
    "ejected, 4s left",
    "2026-01-01 02:00Z",
    "shop.test: letsencrypt: rateLimited: too many",
    "good.test (on demand)  valid, being made  letsencrypt  2026-04-01 00:00Z  2026-03-01 00:00Z",
  ]) {
    expect(text).toContain(part)
  }
})
