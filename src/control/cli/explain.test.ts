import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { main } from "./program.ts"

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

async function explain(...args: string[]) {
  let stdout = ""
  let stderr = ""
  const terminal = { out: { write: (text: string) => void (stdout += text) }, err: { write: (text: string) => void (stderr += text) }, env: {} }
  const code = await main(["explain", ...args], terminal)
  return { code, stdout, stderr }
}

describe("explain", () => {
  test("which route, why, and who it would be", async () => {
    const { code, stdout } = await explain(file, "GET", "http://shop.example:8080/api/1", "-H", "X-Beta: 1")
    expect(code).toBe(0)
    for (const part of [
      "listener  web",
      "0 api  wins",
      "1 rest  not tried",
      "to cluster shop",
      "127.0.0.1:9001",
      "round-robin",
      "X-Forwarded-For: 127.0.0.1",
    ]) {
      expect(stdout).toContain(part)
    }
  })

  test("a field and the client's address decide", async () => {
    const { code, stdout } = await explain(file, "GET", "http://shop.example:8080/api/1", "--from", "203.0.113.7")
    expect(code).toBe(0)
    expect(stdout).toMatch(/0 api {2}fails: .*x-beta/i)
    expect(stdout).toMatch(/1 rest {2}wins[\s\S]*answer +200/)
    expect(stdout).toContain("from 203.0.113.7")
  })

  test("a fault of the proxy's own is exit code 1", async () => {
    const { code, stdout } = await explain(file, "GET", "http://other.example/", "--listener", "web")
    expect([code, stdout]).toEqual([1, expect.stringMatching(/answer +404 proxy\.no-route/)])
  })

  test("CONNECT, and an origin that is closed", async () => {
    expect(await explain(file, "CONNECT", "shop.example:443")).toMatchObject({ code: 0, stdout: expect.stringMatching(/port: allowed[\s\S]*tunnel/) })
    expect(await explain(file, "CONNECT", "shop.example:25")).toMatchObject({ code: 1, stdout: expect.stringContaining("port: refused") })
  })

  test("--json is plain data", async () => {
    const { code, stdout } = await explain(file, "GET", "http://shop.example:8080/", "--json")
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ listener: { name: "web" }, route: { name: "rest" }, answer: { kind: "reply", status: 200 } })
  })

  test("--live takes the peers' health from the running instance", async () => {
    const peer = (name: string, health: string) => ({ name, host: "127.0.0.1", health, available: health !== "down", ejectedForMs: 0, inFlight: 0 })
    const clusters = [{ name: "shop", peers: [peer("127.0.0.1:9001", "down"), peer("127.0.0.1:9002", "up")] }]
    const server = createServer((_, response) => response.end(JSON.stringify({ name: "bothways", clusters })))
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
    const admin = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const { code, stdout } = await explain(file, "GET", "http://shop.example:8080/api/", "-H", "X-Beta: 1", "--live", "--admin", admin)
    server.close()
    expect(code).toBe(0)
    expect(stdout).toMatch(/it will be 127\.0\.0\.1:9002/)
    expect(stdout).toMatch(/127\.0\.0\.1:9001 +.*down +no/)
  })

  const wrong: [string, readonly string[], RegExp][] = [
    ["no URL", [file, "GET", "shop.example/x"], /expected a URL/],
    ["no such listener", [file, "GET", "http://a.test/", "--listener", "nope"], /there is no listener/],
    ["no field", [file, "GET", "http://a.test/", "--listener", "web", "-H", "no colon"], /expected a field/],
    ["no address", [file, "GET", "http://a.test/", "--listener", "web", "--from", "nowhere"], /address/],
    ["no config", [join(directory, "none.yaml"), "GET", "http://a.test/"], /there is no such file/],
    ["no instance", [file, "GET", "http://shop.example:8080/", "--live", "--admin", "127.0.0.1:1"], /no instance answers/],
  ]
  for (const [name, args, reason] of wrong) {
    test(`${name}: said in one line`, async () => {
      const { code, stderr } = await explain(...args)
      expect([code, stderr]).toEqual([name === "no instance" ? 4 : 2, expect.stringMatching(reason)])
    })
  }
})
