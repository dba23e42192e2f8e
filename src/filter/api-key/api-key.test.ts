import { describe, expect, test } from "bun:test"
import { hash } from "node:crypto"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import apiKey from "./api-key.ts"
import { parseKeyFile } from "./key-file.ts"

const plain = "k-0123456789abcdef"
const hashed = "another-key-for-the-shop"
const file = `# keys\nann:${plain}\n\nshop:{SHA256}${hash("sha256", hashed)}\nshop:{sha256}${hash("sha256", "the-next-key-of-shop").toUpperCase()}\n`
const get = (fields = "", target = "/a") => `GET ${target} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`

function start(options: Record<string, unknown> = {}, content = file) {
  const deps = new FakeDeps({ "/etc/keys": content })
  return { deps, run: new FilterRun(apiKey.build(apiKey.options.parse({ keys: "keys", ...options }), deps)) }
}

describe("api-key", () => {
  test("who has a key is its name, and the key stays here", () => {
    const { run } = start()
    for (const key of [plain, hashed, "the-next-key-of-shop"]) expect(run.send(get(`X-API-Key: ${key}\r\n`))).toStartWith("HTTP/1.1 404 ")
    expect(run.seen.users).toEqual(["ann", "shop", "shop"])
    expect(run.seen.sent).toEqual(Array(3).fill("Host: a.test\r\n"))
  })

  test("without one, with a wrong one, with two: 401", () => {
    const { run, deps } = start()
    const bad = [
      "",
      "X-API-Key: \r\n",
      `X-API-Key: ${plain}x\r\n`,
      `X-API-Key: ${plain}\r\nX-API-Key: ${plain}\r\n`,
      `X-API-Key: ${"x".repeat(2000)}\r\n`,
    ]
    for (const fields of bad) expect(run.send(get(fields))).toMatch(/^HTTP\/1\.1 401 .*\r\nWWW-Authenticate: ApiKey realm="api"\r\n/s)
    expect(run.seen.faults).toEqual(Array(5).fill("proxy.login-required"))
    expect(deps.counts.get("api_key_wrong")).toBe(3)
    // the hash itself is no key
    expect(run.send(get(`X-API-Key: ${hash("sha256", hashed)}\r\n`))).toStartWith("HTTP/1.1 401 ")
  })

  test("every place that is asked for is emptied, others stay", () => {
    const from = ["authorization:ApiKey", "parameter:api_key", "cookie:key"]
    const { run } = start({ from })
    const seen: string[] = []
    const ask = (fields: string, target?: string) => {
      expect(run.send(get(fields, target))).toStartWith("HTTP/1.1 404 ")
      seen.push(run.seen.sent.at(-1)!.replace("Host: a.test\r\n", ""))
    }
    ask(`Authorization: apikey ${plain}\r\n`)
    ask("Authorization: Basic abc\r\n", `/a?x=1&api_key=${plain}&y=2`)
    ask(`Cookie: a=1; key=${plain}; mykey=2\r\n`)
    ask(`Cookie: a=1\r\nCookie: key=${plain}\r\n`)
    ask(`Authorization: ApiKey ${plain}\r\nCookie: key=evil\r\n`)
    expect(seen).toEqual(["", "Authorization: Basic abc\r\n", "Cookie: a=1; mykey=2\r\n", "Cookie: a=1\r\n", ""])
    for (const target of [`/a?api_key=${plain}&api_key=x`, `/a?xapi_key=${plain}`, "/a?api_key"])
      expect(run.send(get("", target))).toStartWith("HTTP/1.1 401 ")
    expect(run.send(get(`Cookie: key=${plain}; key=other\r\n`))).toStartWith("HTTP/1.1 401 ")
    const keeps = start({ from, keepKey: true }).run
    keeps.send(get(`Cookie: key=${plain}\r\n`))
    expect(keeps.seen.sent[0]).toContain(plain)
  })

  test("a changed file counts at once, a bad one changes nothing", () => {
    const { run, deps } = start()
    expect(() => deps.change("/etc/keys", "ann:short")).toThrow('/etc/keys: line 1: the key of "ann" is too short')
    expect(run.send(get(`X-API-Key: ${plain}\r\n`))).toStartWith("HTTP/1.1 404 ")
    deps.change("/etc/keys", "eve:a-key-of-sixteen-or-more\n")
    expect(run.send(get(`X-API-Key: ${plain}\r\n`))).toStartWith("HTTP/1.1 401 ")
    expect(run.send(get("X-API-Key: a-key-of-sixteen-or-more\r\n"))).toStartWith("HTTP/1.1 404 ")
  })

  test.each([
    "",
    "# nothing",
    "ann",
    ":key-of-sixteen-chars",
    "ann:{SHA256}abc",
    "ann:{MD5}abc",
    `a:${plain}\nb:${plain}`,
    "ann:with a space inside",
  ])("no key file: %j, and no key in the words about it", content => {
    expect(() => parseKeyFile(content, "f")).toThrow(/^f/)
    try {
      parseKeyFile(content, "f")
    } catch (error) {
      expect(String(error)).not.toContain(plain)
    }
  })
})
