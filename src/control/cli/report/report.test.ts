import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { runCli } from "../cache/run-cli.fixture.ts"
import { siteOf } from "../../../base/index.ts"
import { GROUPS_MAX, OTHERS, Tally } from "./tally.ts"
import { readLogRecord } from "./log-record.ts"

const top = mkdtempSync(join(tmpdir(), "bothways-report-"))
afterAll(() => rmSync(top, { recursive: true }))

interface Line {
  readonly time?: string
  readonly user?: string
  readonly host?: string
  readonly status?: number
  readonly action?: string
  readonly rule?: string
  readonly category?: string
  readonly exit?: string
  readonly cache?: string
  readonly fault?: string
  readonly responseBytes?: number
}

const line = (of: Line): string =>
  `${JSON.stringify({ time: "2026-11-26T09:07:46.005Z", client: "192.0.2.17", method: "GET", host: "www.shop.example", status: 200, requestBytes: 10, responseBytes: 1000, durationMs: 2, ...of })}\n`

const lines = [
  line({ user: "ann", category: "shopping" }),
  line({ user: "ann", host: "cdn.shop.example", cache: "hit", responseBytes: 5000 }),
  line({ user: "bob", host: "ads.example", status: 403, action: "block", rule: "no-ads", category: "ads", responseBytes: 200 }),
  line({ user: "bob", host: "a.b.co.uk", status: 502, fault: "upstream.connect-refused", exit: "de", time: "2026-11-25T23:00:00.000Z" }),
  line({ user: "<script>alert(1)</script>", host: "\x1b[31mred.example" }),
]
const log = join(top, "access.log")
writeFileSync(log, lines.join(""))

const report = (...args: string[]) => runCli(["report", ...args])

describe("bothways report", () => {
  test("numbers by user, site, category and rule", async () => {
    const { code, stdout } = await report("--from", log, "--by", "user,site,category,rule,exit,day", "--json")
    expect(code).toBe(0)
    const { all, by } = JSON.parse(stdout)
    expect(all).toEqual({ requests: 5, blocked: 1, failed: 1, cached: 1, sent: 50, received: 8200, saved: 5000, durationMs: 10 })
    expect(by.user.ann).toMatchObject({ requests: 2, received: 6000, cached: 1 })
    expect(by.user.bob).toMatchObject({ requests: 2, blocked: 1, failed: 1 })
    expect(Object.keys(by.site)).toEqual(
      ["shop.example", "b.co.uk", "\x1b[31mred.example", "ads.example"].map(host => (host.startsWith("\x1b") ? siteOf(host) : host)),
    )
    expect(Object.keys(by.category).sort()).toEqual(["ads", "shopping"])
    expect([by.rule["no-ads"].blocked, by.exit.de.failed]).toEqual([1, 1])
  })

  test("tables: what the wire brought cannot move the cursor", async () => {
    const { stdout } = await report("--from", log, "--top", "2")
    expect(stdout).toStartWith("5 requests, 2026-11-2")
    expect(stdout).toContain("blocked 1 (20.0 %), failed 1 (20.0 %), from the cache 1 (20.0 %, 4.9 KB)")
    expect(stdout).toMatch(/^SITE +REQUESTS +BLOCKED/m)
    expect(stdout).toMatch(/^shop\.example +2 +- +- +1 +5\.9 KB/m)
    expect(stdout).toContain("more (--top)")
    expect(stdout).not.toContain("\x1b[31mred")
  })

  test("a page that needs nothing else and runs nothing that the wire brought", async () => {
    const page = join(top, "report.html")
    expect(await report("--from", log, "--html", page)).toMatchObject({ code: 0, stdout: `${page}\n` })
    const html = readFileSync(page, "utf8")
    expect(html).not.toContain("<script")
    expect(html).toContain("&#60;script&#62;")
    expect(html).not.toMatch(/(?:src|href)=/)
    for (const title of ["Users", "Sites", "Categories", "Hours of the day"]) expect(html).toContain(`<h2>${title}</h2><svg`)
  })

  test("only some lines, and gzip", async () => {
    const packed = join(top, "access.log.1.gz")
    writeFileSync(packed, gzipSync(lines.join("")))
    const all = async (...args: string[]): Promise<number> => JSON.parse((await report("--from", packed, "--json", ...args)).stdout).all.requests
    expect(await all()).toBe(5)
    expect(await all("--only", "action=block")).toBe(1)
    expect(await all("--only", "user=ann", "--only", "site=shop.example")).toBe(2)
    expect(await all("--since", "2026-11-26T00:00Z")).toBe(4)
    expect(await all("--until", "2026-11-26T00:00Z")).toBe(1)
  })

  test("what makes no sense is said in a line", async () => {
    const said = async (...args: string[]) => (await report(...args)).stderr
    expect(await said()).toContain("--from names the access log")
    expect(await said("--from", log, "--by", "usr")).toContain('did you mean "user"')
    expect(await said("--from", log, "--since", "yesterday")).toContain("--since: expected 24h")
    expect(await said("--from", log, "--only", "ann")).toContain("--only wants word=value")
    expect(await said("--from", join(top, "none"))).toContain("none: ")
    const other = join(top, "combined.log")
    writeFileSync(other, '192.0.2.17 - - [26/Nov/2026:01:07:46 +0100] "GET / HTTP/1.1" 200 17\n')
    expect(await said("--from", other)).toContain("format: json")
  })
})

test("sites", () => {
  const hosts = ["a.b.example", "example", "x.co.uk", "a.x.co.uk", "192.0.2.1", "2001:db8::1", "", "www.gov.uk", "a.b.c.de"]
  expect(hosts.map(siteOf)).toEqual(["b.example", "example", "x.co.uk", "x.co.uk", "192.0.2.1", "2001:db8::1", "", "www.gov.uk", "c.de"])
})

test("a log of random names ends in one group", () => {
  const tally = new Tally(["host"])
  const record = readLogRecord(line({}))!
  for (let i = 0; i < GROUPS_MAX + 50; i++) tally.add({ ...record, host: `h${i}` })
  expect(tally.by.get("host")!.size).toBe(GROUPS_MAX + 1)
  expect(tally.by.get("host")!.get(OTHERS)!.requests).toBe(50)
})
