import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type LoadResult, loadConfig } from "./load.ts"
import type { Problem } from "./problem.ts"

// Field case O-53: one bad piece of configuration must not stop what runs. Reload and check both stand on this verdict: it names file, line and route,
// comes back as a value, and leaves nothing half done.
const folder = mkdtempSync(join(tmpdir(), "bothways-verdict-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const running = `listeners:
  web: { bind: "127.0.0.1:8080" }
clusters:
  a: { peers: ["127.0.0.1:9001"] }
  b: { peers: ["127.0.0.1:9002"] }
routes:
  - { name: route-a, match: { path: "/a/*" }, to: { cluster: a } }
  - { name: route-b, match: { path: "/b/*" }, to: { cluster: b } }
`

function verdict(text: string): Promise<LoadResult> {
  const file = join(folder, "bothways.yaml")
  writeFileSync(file, text)
  return loadConfig(file)
}

async function only(text: string): Promise<Problem> {
  const result = await verdict(text)
  if (result.ok) throw new Error("a bad config was taken")
  expect(result.problems).toHaveLength(1)
  expect(result.problems[0]!.file).toBe(join(folder, "bothways.yaml"))
  return result.problems[0]!
}

describe("O-53", () => {
  test("the running config is good", async () => expect(await verdict(running)).toMatchObject({ ok: true, warnings: [] }))

  test("a: a syntax error", async () =>
    expect(await only(running.replace('path: "/b/*" }', 'path: "/b/*"'))).toMatchObject({ line: 8, column: 5, severity: "error" }))

  test("b: an unknown option", async () => {
    const problem = await only(running.replace("to: { cluster: b }", "to: { cluster: b }, timeuots: { head: 1s }"))
    expect(problem).toMatchObject({ line: 8, column: 67, path: "routes[1].timeuots", suggestion: "timeouts" })
  })

  test("c: a name that does not resolve is no error of the config; a cluster that is not there is one", async () => {
    expect(await verdict(running.replace("127.0.0.1:9002", "no-such-name.invalid:80"))).toMatchObject({ ok: true })
    const result = await verdict(running.replace("cluster: b ", "cluster: bb "))
    expect(result).toMatchObject({
      ok: false,
      problems: [{ severity: "error", line: 8, path: "routes[1].to.cluster" }],
    })
  })

  test("d: a certificate file that is missing", async () => {
    const result = await verdict(
      running
        .replace(":8080", ':8080", tls: { certificates: [ { cert: no.crt, key: no.key } ] }, via: true }')
        .replace('via: true }" }', "via: true }"),
    )
    expect(result.ok ? [] : result.problems.map(problem => [problem.line, problem.path])).toEqual([
      [2, "listeners.web.tls.certificates[0].cert"],
      [2, "listeners.web.tls.certificates[0].key"],
    ])
  })

  test("e: an address that is taken shows when it is bound, twice in one config it shows here", async () => {
    expect(await only(running.replace("clusters:", '  too: { bind: "127.0.0.1:8080" }\nclusters:'))).toMatchObject({
      line: 3,
      path: "listeners.too.bind",
    })
  })

  test("g, h: the verdict depends on nothing but the files", async () => {
    const bad = running.replace("peers", "pears")
    const [first, again] = [await verdict(bad), await verdict(bad)]
    expect(again).toEqual(first)
    const good = await verdict(running)
    const both = await Promise.all([loadConfig(join(folder, "bothways.yaml")), loadConfig(join(folder, "bothways.yaml"))])
    // Functions are equal to themselves only.
    expect(both.map(each => JSON.stringify(each))).toEqual([JSON.stringify(good), JSON.stringify(good)])
  })

  test("i: an empty file", async () => {
    for (const text of ["", "\n# all gone\n"])
      expect(await only(text)).toMatchObject({ line: 1, column: 1, message: "the config is empty; it needs at least listeners and routes" })
  })
})
