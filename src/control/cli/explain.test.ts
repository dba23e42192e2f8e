import { describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Command } from "commander"
import { addExplain, type Explain, type ExplainRequest, explainRequest } from "./explain.ts"
import { UsageError } from "./usage-error.ts"

describe("arguments of explain", () => {
  test("method, URL, fields, client and listener", () => {
    expect(explainRequest("GET", "https://a.test/x?y", { header: ["X-A: 1 ", "Empty:"], from: "10.0.0.1", listener: "web" })).toEqual({
      method: "GET",
      url: "https://a.test/x?y",
      headers: [
        ["X-A", "1"],
        ["Empty", ""],
      ],
      from: "10.0.0.1",
      listener: "web",
    })
    expect(explainRequest("CONNECT", "[::1]:443", { from: "::1" })).toMatchObject({ url: "[::1]:443", headers: [], listener: null })
  })

  const wrong: [string, string, string[]][] = [
    ["G ET", "http://a.test/", []],
    ["GET", "a.test/x", []],
    ["GET", "ftp://a.test/x", []],
    ["CONNECT", "http://a.test/", []],
    ["CONNECT", "a.test", []],
    ["GET", "http://a.test/", ["no colon"]],
    ["GET", "http://a.test/", ["X-A: 1\r\nX-B: 2"]],
  ]
  for (const [method, url, header] of wrong) {
    test(`${JSON.stringify([method, url, ...header])} is refused`, () =>
      expect(() => explainRequest(method, url, { header, from: "::1" })).toThrow(UsageError))
  }
})

test("the command loads the config, asks, prints, and fails when no route takes the request", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bothways-explain-"))
  const file = join(directory, "a.yaml")
  writeFileSync(file, 'listeners:\n  web: { bind: "127.0.0.1:1" }\nroutes:\n  - to: { respond: { body: hi } }\n')
  const asked: ExplainRequest[] = []
  const explain: Explain = (_config, request) => {
    asked.push(request)
    return { routed: request.method === "GET", text: () => "told\n", facts: { told: true } }
  }
  const run = async (...args: string[]) => {
    let out = ""
    let code = -1
    const program = new Command().exitOverride()
    addExplain(program, { out: { write: text => void (out += text) }, err: { write() {} }, env: {}, exit: value => void (code = value) }, explain)
    await program.parseAsync(["explain", ...args], { from: "user" })
    return { out, code }
  }
  expect(await run(file, "GET", "http://a.test/")).toEqual({ out: "told\n", code: 0 })
  expect(await run(file, "GET", "http://a.test/", "--json")).toEqual({ out: '{\n  "told": true\n}\n', code: 0 })
  expect((await run(file, "POST", "http://a.test/")).code).toBe(1)
  expect(asked[0]).toMatchObject({ method: "GET", from: "127.0.0.1", listener: null })
  expect(run(file, "GET", "http://a.test/", "--listener", "nope")).rejects.toThrow("there is no listener nope; expected one of web")
  expect((await run(join(directory, "none.yaml"), "GET", "http://a.test/")).code).toBe(2)
  rmSync(directory, { recursive: true })
})
