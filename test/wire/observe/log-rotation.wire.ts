import { describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scrape } from "../../support/scrape.ts"
import { until } from "../../support/wait.ts"

interface Logging extends AsyncDisposable {
  readonly proxy: Bothways
  readonly port: number
  readonly file: string
  /** Makes so many requests, one after the other, on `connections` connections; their targets are numbered on. */
  requests(count: number, connections?: number): Promise<void>
  readonly made: number
}

async function logging(name: string): Promise<Logging> {
  const port = await freePort()
  const file = join(temporaryFolder(name), "access.log")
  const proxy = await startBothways({
    workers: 2,
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    routes: [{ match: {}, to: { respond: { body: "ok" } } }],
    observe: { accessLog: { to: { file } } },
  })
  let made = 0
  async function oneConnection(count: number): Promise<void> {
    using client = await rawClient(port)
    for (let i = 0; i < count; i++) {
      client.send(`GET /${made++} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
      expect((await client.response()).status).toBe(200)
    }
  }
  return {
    proxy,
    port,
    file,
    requests: async (count, connections = 8) =>
      void (await Promise.all(Array.from({ length: connections }, () => oneConnection(count / connections)))),
    get made() {
      return made
    },
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  }
}

/** The numbers in the targets of a log's lines; every line must be whole. */
function numbersIn(file: string): number[] {
  if (!existsSync(file)) return []
  const text = readFileSync(file, "utf8")
  expect(text === "" || text.endsWith("\n")).toBe(true)
  return text
    .split("\n")
    .slice(0, -1)
    .map(line => Number((JSON.parse(line) as { target: string }).target.slice(1)))
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b)

describe("a log file that is rotated", () => {
  test("moved and SIGUSR1: lines go on in a new file; under load none is lost, doubled or cut", async () => {
    await using log = await logging("rotated")
    const { file, proxy } = log
    await log.requests(80)
    for (let round = 1; round <= 3; round++) {
      const load = log.requests(400)
      await until(() => existsSync(file))
      renameSync(file, `${file}.${round}`)
      proxy.program.signal("SIGUSR1")
      // The file is opened with the next line, and the load may have had its last one.
      await until(() => log.requests(8).then(() => existsSync(file)), 3000, "the new file")
      await load
    }
    await log.requests(80)
    await proxy.stop()
    const files = [file, ...[1, 2, 3].map(round => `${file}.${round}`)]
    for (const one of files) expect(numbersIn(one).length).toBeGreaterThan(0)
    expect(sorted(files.flatMap(numbersIn))).toEqual(upTo(log.made))
    expect(proxy.program.stderr).toContain("log files are opened again")
  })
  test("moved without a word: found within a second", async () => {
    await using log = await logging("moved")
    await log.requests(8)
    await until(() => numbersIn(log.file).length === 8)
    renameSync(log.file, `${log.file}.1`)
    await until(async () => {
      await log.requests(8)
      return existsSync(log.file)
    })
    await log.proxy.stop()
    expect(sorted([...numbersIn(log.file), ...numbersIn(`${log.file}.1`)])).toEqual(upTo(log.made))
  })
  test("deleted, truncated, or with its folder gone for a while: the proxy serves on, and logs again", async () => {
    await using log = await logging("deleted")
    await log.requests(8)
    await until(() => numbersIn(log.file).length === 8)
    writeFileSync(log.file, "")
    await log.requests(8)
    await until(() => numbersIn(log.file).length === 8)
    const folder = join(log.file, "..")
    rmSync(folder, { recursive: true })
    log.proxy.program.signal("SIGUSR1")
    await log.requests(16)
    await until(() => log.proxy.program.stderr.includes("access.log"), 4000, "a word about the log")
    mkdirSync(folder)
    // What was said meanwhile has waited.
    await until(() => numbersIn(log.file).length === 16, 4000, "the lines that had nowhere to go")
    expect(sorted(numbersIn(log.file))).toEqual(upTo(log.made).slice(16))
    expect((await scrape(log.proxy)).get("bothways_log_lines_dropped_total")).toBe(0)
  }, 20_000)
})
