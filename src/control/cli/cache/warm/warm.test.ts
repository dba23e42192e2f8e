import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { createServer as createSecureServer } from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TLSSocket } from "node:tls"
import { Authority } from "../../../../../test/support/certificates.ts"
import { startProgram } from "../../../../../test/support/processes.ts"
import { scriptedServer } from "../../../../../test/support/scripted-server.ts"
import { until } from "../../../../../test/support/wait.ts"
import { logLine, runCli } from "../run-cli.fixture.ts"

const directory = mkdtempSync(join(tmpdir(), "bothways-warm-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function write(name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

/** A proxy with a cache, as far as its answers tell: what was asked before is a hit, /private… is not stored, /plain… is on a route without a cache. */
class CachingProxy implements AsyncDisposable {
  readonly asked: { target: string; host: string; fields: IncomingMessage["headers"] }[] = []
  atOnce = 0
  mostAtOnce = 0
  private readonly kept = new Set<string>()
  private readonly server = createServer((request, response) => void this.answer(request, response))
  delayMs = 0

  async listen(): Promise<this> {
    await new Promise<void>(resolve => this.server.listen(0, "127.0.0.1", resolve))
    return this
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections()
    await new Promise(resolve => this.server.close(resolve))
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.url!
    this.asked.push({ target, host: request.headers.host ?? "", fields: request.headers })
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce)
    await Bun.sleep(this.delayMs)
    this.atOnce--
    if (target.includes("/broken")) return void request.socket.destroy()
    const key = request.headers.host + target
    const missing = this.kept.has(key)
      ? "; hit"
      : target.includes("/private")
        ? "; fwd=uri-miss; fwd-status=200; detail=private"
        : "; fwd=uri-miss; stored"
    if (!target.includes("/private")) this.kept.add(key)
    if (!target.includes("/plain")) response.setHeader("Cache-Status", `other; hit, bothways${missing}`)
    response.statusCode = target.includes("/gone") ? 404 : 200
    response.end("x".repeat(1000))
  }
}

const proxy = () => new CachingProxy().listen()

const log = write(
  "access.log",
  [
    ...Array(5).fill(logLine({ target: "/often?q=1" })),
    ...Array(3).fill(logLine({ target: "/often?q=1", host: "other.example", port: 8081 })),
    ...Array(2).fill(logLine({ target: "/private/a" })),
    ...Array(2).fill(logLine({ target: "/plain" })),
    logLine({ target: "/gone", status: 404 }),
    logLine({ target: "/posted", method: "POST" }),
    logLine({ target: "/passed", cache: "pass" }),
    logLine({ target: "/raw/../%2e" }),
    logLine({ target: "/login?token=***" }),
    logLine({ target: "/secure", scheme: "https" }),
    logLine({ target: `/${"x".repeat(4095)}...` }),
    logLine({ target: "/a b" }),
    "nonsense\n",
  ].join(""),
)

describe("cache warm", () => {
  test("asks what was asked most, as the log has it, and counts what the cache says", async () => {
    await using server = await proxy()
    const { code, stdout, stderr } = await runCli(["cache", "warm", "--from", log, "--to", `http://${server.address}`, "--concurrency", "1"])
    expect(server.asked.map(({ host, target }) => host + target)).toEqual([
      "shop.example/often?q=1",
      "other.example:8081/often?q=1",
      "shop.example/private/a",
      "shop.example/plain",
      "shop.example/gone",
      "shop.example/raw/../%2e",
    ])
    expect(server.asked[0]!.fields).toMatchObject({
      "accept-encoding": "gzip, deflate, br, zstd",
      "user-agent": expect.stringMatching(/^bothways\//),
    })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^6 URLs asked in \d+\.\d s, [\d,]+ a second; 5\.9 KB\n/)
    for (const row of [
      /^hit +0$/m,
      /^miss +5$/m,
      /^ {2}stored +4$/m,
      /^ {2}uncacheable +1 {2}private 1$/m,
      /^no cache +1 {2}/m,
      /^failed +0$/m,
      /^statuses: 200 5, 404 1$/m,
    ])
      expect(stdout).toMatch(row)
    for (const reason of [
      "1 of 21 lines",
      "1 request with a secret",
      "1 request over a scheme",
      "1 request longer than the log",
      "1 request with octets",
    ])
      expect(stderr).toContain(reason)
  })

  test("the second time all is there; --top takes the most asked; --json", async () => {
    await using server = await proxy()
    const args = ["cache", "warm", "--from", log, "--to", server.address, "--top", "2", "--json"]
    expect(JSON.parse((await runCli(args)).stdout)).toMatchObject({
      urls: 2,
      asked: 2,
      stored: 2,
      hit: 0,
      octets: 2000,
      statuses: { 200: 2 },
      stopped: "",
    })
    expect(JSON.parse((await runCli(args)).stdout)).toMatchObject({ urls: 2, asked: 2, stored: 0, hit: 2 })
  })

  test("through a forward proxy: the whole URL, the host's name, the password", async () => {
    await using server = await proxy()
    const forward = write("forward.log", `192.0.2.1 - - [26/Nov/2026:01:07:46 +0000] "GET http://Origin.example:81/a?b HTTP/1.1" 200 5 "-" "-"\n`)
    const { code } = await runCli(["cache", "warm", "--from", forward, "--proxy", `http://ann:p%40ss@${server.address}`])
    expect(code).toBe(0)
    expect(server.asked).toMatchObject([
      { target: "http://origin.example:81/a?b", host: "origin.example:81", fields: { "proxy-authorization": `Basic ${btoa("ann:p@ss")}` } },
    ])
  })

  test("http and https each to its own address; the certificate is that of the log's host, or --insecure", async () => {
    await using plain = await proxy()
    const { cert, key } = new Authority().issue(["shop.example"])
    const asked: string[] = []
    const server = createSecureServer({ cert, key }, (request, response) => {
      asked.push(`${(request.socket as TLSSocket).servername} ${request.headers.host}${request.url}`)
      response.setHeader("Cache-Status", "bothways; hit").end("x")
    })
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
    const secure = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    const both = write("both.log", logLine({ target: "/a", scheme: "https", port: 8443 }) + logLine({ target: "/b" }) + logLine({ target: "/b" }))
    const args = ["cache", "warm", "--from", both, "--to", secure, "--to", `http://${plain.address}`, "--json"]
    const refused = await runCli(args)
    const allowed = await runCli([...args, "--insecure"])
    server.closeAllConnections()
    server.close()
    expect(JSON.parse(refused.stdout)).toMatchObject({ asked: 2, stored: 1, failed: 1, failures: { UNABLE_TO_VERIFY_LEAF_SIGNATURE: 1 } })
    expect([refused.code, allowed.code]).toEqual([1, 0])
    expect(JSON.parse(allowed.stdout)).toMatchObject({ asked: 2, hit: 2, failed: 0 })
    expect(asked).toEqual(["shop.example shop.example:8443/a"])
    expect(plain.asked.map(({ host, target }) => host + target)).toEqual(["shop.example/b", "shop.example/b"])
  })

  test("a log without hosts: the address's own, or --host; a forward proxy needs one", async () => {
    await using server = await proxy()
    const bare = write("bare.log", '192.0.2.1 - - [26/Nov/2026:01:07:46 +0000] "GET /a HTTP/1.1" 200 5 "-" "-"\n')
    await runCli(["cache", "warm", "--from", bare, "--to", server.address])
    await runCli(["cache", "warm", "--from", bare, "--to", server.address, "--host", "shop.example", "-H", "accept-encoding: br", "-H", "X-A: 1"])
    const none = await runCli(["cache", "warm", "--from", bare, "--proxy", server.address])
    expect(server.asked.map(({ host }) => host)).toEqual([server.address, "shop.example"])
    expect(server.asked[1]!.fields).toMatchObject({ "accept-encoding": "br", "x-a": "1" })
    expect(none).toMatchObject({ code: 0, stdout: expect.stringMatching(/^0 URLs asked/), stderr: expect.stringContaining("--host names it") })
  })

  test("octets go out as they came in, and do not reach the terminal", async () => {
    await using server = await scriptedServer(async connection => {
      await connection.head()
      connection.reset()
    })
    const raw = write("raw.log", logLine({ target: "/\u00e9\u009b31m|" }))
    const { stdout } = await runCli(["cache", "warm", "--from", raw, "--to", server.address])
    expect(server.received).toStartWith("GET /\xe9\x9b31m| HTTP/1.1\r\n")
    expect(stdout).toContain("failed http://shop.example/\\xE9\\x9B31m|\n")
  })

  test("so many at a time, and so many a second", async () => {
    await using server = await proxy()
    const many = write("many.log", Array.from({ length: 40 }, (_, i) => logLine({ target: `/${i}` })).join(""))
    server.delayMs = 20
    await runCli(["cache", "warm", "--from", many, "--to", server.address, "--concurrency", "4"])
    expect(server.asked).toHaveLength(40)
    expect(server.mostAtOnce).toBe(4)
    server.delayMs = 0
    const begin = performance.now()
    await runCli(["cache", "warm", "--from", many, "--to", server.address, "--rate", "100"])
    expect(performance.now() - begin).toBeGreaterThan(370)
  })

  test("what fails is told, and fails the command; nobody there is said after a few", async () => {
    await using server = await proxy()
    const broken = write("broken.log", logLine({ target: "/ok" }) + logLine({ target: "/broken" }))
    const some = await runCli(["cache", "warm", "--from", broken, "--to", server.address])
    expect(some.code).toBe(1)
    expect(some.stdout).toMatch(/^failed +1 {2}\w.*1$/m)
    expect(some.stdout).toContain("failed http://shop.example/broken\n")
    const many = write("nobody.log", Array.from({ length: 400 }, (_, i) => logLine({ target: `/${i}` })).join(""))
    const nobody = await runCli(["cache", "warm", "--from", many, "--to", "http://127.0.0.1:1"])
    expect([nobody.code, nobody.stderr]).toEqual([4, "bothways: nobody answers at http://127.0.0.1:1\n"])
    expect(nobody.stdout).toMatch(/^50 URLs asked .*, 350 not asked\nstopped: 50 in a row failed\n/)
    expect(nobody.stdout).toMatch(/^failed +50 {2}ECONNREFUSED 50$/m)
  })

  test("silence is a failure after --timeout", async () => {
    await using server = await proxy()
    server.delayMs = 60_000
    const ran = await runCli(["cache", "warm", "--from", write("one.log", logLine()), "--to", server.address, "--timeout", "50ms"])
    expect(ran).toMatchObject({ code: 4, stdout: expect.stringContaining("silent for 50 ms 1") })
  })

  test("Ctrl-C ends it at once, with the summary", async () => {
    await using server = await proxy()
    const many = write("slow.log", Array.from({ length: 100 }, (_, i) => logLine({ target: `/${i}` })).join(""))
    const args = ["cache", "warm", "--from", many, "--to", server.address, "--concurrency", "2"]
    server.delayMs = 100
    await using program = startProgram("warm", process.execPath, [join(import.meta.dirname, "../../../../main.ts"), ...args])
    await until(() => (server.asked.length > 4 ? true : undefined), 10_000, "a few requests")
    process.kill(program.pid, "SIGINT")
    expect(await program.exit()).toBe(130)
    expect(program.lines[0]).toMatch(/^\d+ URLs asked in .*, 9\d not asked$/)
    expect(program.lines.join("\n")).toMatch(/^failed +0$/m)
  }, 15_000)

  test("a bar on a terminal, which is gone at the end", async () => {
    await using server = await proxy()
    server.delayMs = 150
    const { stderr } = await runCli(
      ["cache", "warm", "--from", write("bar.log", logLine() + logLine({ target: "/2" })), "--to", server.address, "--concurrency", "1"],
      { NO_COLOR: "1" },
      true,
    )
    expect(stderr).toMatch(/\r\x1b\[K░{30} 0 of 2 asked/)
    expect(stderr).toMatch(/\r\x1b\[K█{15}░{15} 1 of 2 asked, \d+ a second/)
    expect(stderr.endsWith("\r\x1b[K")).toBe(true)
  })

  test("a command line that makes no sense", async () => {
    const table: [string[], RegExp][] = [
      [["--to", ":1"], /required option '--from/],
      [["--from", log], /expected either --to or --proxy/],
      [["--from", log, "--to", ":1", "--proxy", ":2"], /expected either --to or --proxy/],
      [["--from", log, "--to", "http://a:1", "--to", "http://b:1"], /one address for each scheme/],
      [["--from", log, "--to", "http://a:1/path"], /--to: a target has no path/],
      [["--from", log, "--proxy", "socks5://ann:secret@a:1"], /--proxy: expected http:\/\/host:port, got "socks5:\/\/\*\*\*@a:1"/],
      [["--from", log, "--proxy", "http://%:b@a:1"], /--proxy: user and password are not percent-encoded/],
      [["--from", log, "--to", ":1", "--top", "0"], /--top.*from 1 to/],
      [["--from", log, "--to", ":1", "--concurrency", "1000"], /--concurrency.*from 1 to 256/],
      [["--from", log, "--to", ":1", "--timeout", "soon"], /--timeout.*expected a duration/],
      [["--from", log, "--to", ":1", "--insecure"], /--insecure is for https/],
      [["--from", log, "--to", ":1", "-H", "Host: a"], /Host comes from the log/],
      [["--from", log, "--to", ":1", "-H", "no field"], /expected 'Name: value'/],
      [["--from", log, "--to", ":1", "--host", "a/b"], /--host.*expected a host/],
      [["--from", join(directory, "none.log"), "--to", ":1"], /there is no such file/],
    ]
    for (const [args, reason] of table) {
      const { code, stderr } = await runCli(["cache", "warm", ...args])
      expect([args, code, stderr]).toEqual([args, 2, expect.stringMatching(reason)])
      expect(stderr).not.toContain("    at ")
    }
  })
})
