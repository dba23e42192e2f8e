import { afterAll, describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { Random } from "../../../base/index.ts"
import { CACHE_REASONS } from "../../../cache/index.ts"
import { REASONS_OF_THE_CACHE } from "./log/log-scan.ts"
import { logLine, runCli } from "./run-cli.fixture.ts"

const directory = mkdtempSync(join(tmpdir(), "bothways-size-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const MB = 1024 ** 2

function write(name: string, content: string | Buffer): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

// few are asked often, most once; sizes from 1 KB to 1 MB
const random = new Random(4)
const ids = Array.from({ length: 40_000 }, () => Math.floor(30_000 * random.float() ** 4))
const sizeOf = (id: number): number => 1024 + ((id * 7919) % 1024) ** 2
const different = new Set(ids)
const footprint = [...different].reduce((sum, id) => sum + sizeOf(id), 0)
const lines = ids.map((id, i) => logLine({ target: `/item/${id}`, responseBytes: sizeOf(id), time: new Date(1e12 + i * 1000).toISOString() }))
const whole = write("whole.log", lines.join(""))

async function sizes(...args: string[]) {
  const ran = await runCli(["cache", "size", ...args, "--json"])
  expect(ran).toMatchObject({ code: 0, stderr: "" })
  return JSON.parse(ran.stdout)
}

describe("cache size", () => {
  test("the reasons that it knows are those that the cache gives", () => {
    for (const reason of REASONS_OF_THE_CACHE) expect(CACHE_REASONS).toHaveProperty(reason)
  })

  test("the same requests say the same as json, as combined, packed, in rotated files in any order, through a pipe", async () => {
    const all = await sizes("--from", whole)
    expect(all).toMatchObject({
      requests: 40_000,
      urls: different.size,
      footprint: footprint,
      share: 1,
      log: { lines: 40_000, bad: 0, counted: 40_000, files: 1 },
    })
    const { log: _log, ...expected } = all
    const combined = ids.map(id => `192.0.2.1 - - [26/Nov/2026:01:07:46 +0000] "GET /item/${id} HTTP/1.1" 200 ${sizeOf(id)} "-" "x"\n`).join("")
    const old = write("old.gz", gzipSync(lines.slice(0, 15_000).join("")))
    const young = write("young.log", lines.slice(15_000).join(""))
    for (const from of [
      ["--from", write("combined.log", combined)],
      ["--from", young, "--from", old],
      ["--from", old, "--from", young],
    ])
      expect(await sizes(...from)).toMatchObject(expected)
    const program = [process.execPath, join(import.meta.dirname, "../../../main.ts"), "cache", "size", "--json", "--from", "-"]
    const piped = spawnSync(program[0]!, program.slice(1), { input: gzipSync(lines.join("")), encoding: "utf8" })
    expect(JSON.parse(piped.stdout)).toMatchObject(expected)
  })

  test("larger caches answer more, up to all that was asked before; the table ends where the curve is flat", async () => {
    const { rows, unlimited } = await sizes("--from", whole)
    expect(rows.map((row: { capacity: number }) => row.capacity)).toEqual(Array.from({ length: 13 }, (_, power) => 2 ** (24 + power)))
    for (const [i, row] of rows.entries()) expect(row.hitRatio).toBeGreaterThanOrEqual(i === 0 ? 0.01 : rows[i - 1].hitRatio)
    expect(unlimited.hitRatio).toBeCloseTo(1 - different.size / 40_000, 10)
    expect(rows.at(-1).hitRatio).toBe(unlimited.hitRatio)
    const { stdout } = await runCli(["cache", "size", "--from", whole])
    expect(stdout).toContain("40,000 requests for")
    expect(stdout).toMatch(/^ +16MB +\d+\.\d % +█+.? +\d+\.\d % +█+/m)
    expect(stdout).toMatch(/^unlimited /m)
    expect(stdout).not.toContain("64GB")
    expect(stdout).toMatch(/^\d+\w+ is the smallest of these sizes that answers 90\.0 %/m)
  })

  test("--sizes are shown all, in order", async () => {
    const { stdout } = await runCli(["cache", "size", "--from", whole, "--sizes", "64GB,32MB,64GB"])
    expect(stdout).toMatch(/32MB.*\n +64GB.*\nunlimited/)
    expect((await sizes("--from", whole, "--sizes", "1GB")).rows).toHaveLength(1)
  })

  test("with more URLs than it follows: a sample, and it says so", async () => {
    const sampled = await sizes("--from", whole, "--urls", "2000")
    expect(sampled.share).toBe(1 / 8)
    const { stdout } = await runCli(["cache", "size", "--from", whole, "--urls", "2000"])
    expect(stdout).toContain("A sample: 1 of 8 URLs, chosen by hash")
    expect(stdout).toMatch(/~\d+\.\d %/)
  })

  test("what counts: GET with a status that is kept, not passed, of the routes that are named", async () => {
    const log = write(
      "mixed.log",
      [
        logLine({ target: "/a" }),
        logLine({ target: "/a", cache: "hit" }),
        logLine({ target: "/a", status: 304, responseBytes: 0, cache: "revalidated" }),
        logLine({ target: "/a", host: "other.example" }),
        logLine({ target: "/a", port: 8080 }),
        logLine({ target: "/a", method: "POST" }),
        logLine({ target: "/a", method: "HEAD" }),
        logLine({ target: "/a", status: 206 }),
        logLine({ target: "/a", status: 503 }),
        logLine({ target: "/a", cache: "pass" }),
        logLine({ target: "/a", cache: "bypass", cacheReason: "rule" }),
        logLine({ target: "/a", cache: "miss", cacheReason: "private" }),
        logLine({ target: "/a", cache: "miss", cacheReason: "too-large" }),
        logLine({ target: "/a", cache: "pass", cacheReason: "no-room" }),
        logLine({ target: "/b", route: "api" }),
        logLine({ target: "/gone", status: 404, responseBytes: 0 }),
        '{"time":"2026-11-26T01:07:46.005Z","client":"192.0.2.17","status":400,"fault":"client.malformed","responseBytes":0}\n',
        "nonsense\n",
      ].join(""),
    )
    const all = await sizes("--from", log)
    expect(all).toMatchObject({ requests: 9, urls: 5, unlimited: { hitRatio: 4 / 9, octetHitRatio: 3000 / 7000 } })
    expect(all.log).toEqual({
      files: 1,
      lines: 18,
      bad: 1,
      counted: 9,
      leftOut: { method: 2, status: 2, uncacheable: 3, route: 0, "no request": 1 },
      did: { hit: 1, stale: 0, revalidated: 1, coalesced: 0, miss: 2, pass: 2, bypass: 1 },
      uncached: 5,
    })
    expect(await sizes("--from", log, "--route", "api")).toMatchObject({ requests: 1, log: { leftOut: { route: 15, method: 0 }, did: { hit: 0 } } })
    const { stdout } = await runCli(["cache", "size", "--from", log])
    for (const part of [
      "9 requests for 5 URLs (80.0 % asked for once)",
      "8 more left out: 3 that no cache may keep, 2 not GET, 2 a status that is not kept, 1 no request",
      "1 line of 18 could not be read",
      "5 of the requests were on routes without a cache; --route names those that count",
      "The cache of this log itself, of 7 requests: hit 14.3 %, revalidated 14.3 %, miss 28.6 %, pass 28.6 %, bypass 14.3 %.",
    ])
      expect(stdout).toContain(part)
  })

  test("an exchange that ended too early asks for the object, and its octets are not the body's", async () => {
    const cut = write("cut.log", logLine({ responseBytes: 3 * MB }) + logLine({ responseBytes: 10, fault: "client.aborted" }))
    expect(await sizes("--from", cut)).toMatchObject({ footprint: 3 * MB, octets: 3 * MB + 10, unlimited: { hitRatio: 0.5 } })
  })

  test("an empty log, and one in which nothing is asked twice", async () => {
    expect(await runCli(["cache", "size", "--from", write("empty.log", "")])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^0 requests for 0 URLs/),
    })
    expect((await runCli(["cache", "size", "--from", write("once.log", logLine())])).stdout).toContain("No URL was asked for twice")
  })

  test("files that cannot be read, formats that are not known, options that make no sense", async () => {
    mkdirSync(join(directory, "folder"))
    const table: [string[], RegExp][] = [
      [[], /required option '--from <file>'/],
      [["--from", join(directory, "none.log")], /^bothways: --from: .*none\.log: there is no such file\n$/],
      [["--from", join(directory, "folder")], /^bothways: --from: .*folder: it is a directory, not a file\n$/],
      [["--from", whole, "--from", join(directory, "none.log")], /none\.log: there is no such file/],
      [
        ["--from", write("template.log", "192.0.2.1 GET /a 200\n192.0.2.1 GET /b 200\n")],
        /no line of .*template\.log is one of .* json and combined; .*`format: json`/,
      ],
      [["--from", whole, "--sizes", "64MB,many"], /--sizes.*expected a size such as .* got "many"/],
      [["--from", whole, "--sizes", "1B"], /--sizes.*at least 1KB/],
      [["--from", whole, "--sizes", Array(65).fill("1MB").join(",")], /--sizes.*at most 64/],
      [["--from", whole, "--urls", "5"], /--urls.*from 1000 to/],
    ]
    for (const [args, reason] of table) {
      const { code, stderr } = await runCli(["cache", "size", ...args])
      expect([args, code, stderr]).toEqual([args, 2, expect.stringMatching(reason)])
      expect(stderr).not.toContain("    at ")
    }
    const packed = gzipSync(lines.join(""))
    const { code, stderr } = await runCli(["cache", "size", "--from", write("cut.gz", packed.subarray(0, 5000))])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^bothways: .*cut\.gz: the gzip data are broken: .*\n$/)])
  })
})
