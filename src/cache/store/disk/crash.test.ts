import { expect, test } from "bun:test"
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { startProgram, temporaryFolder } from "../../../../test/support/processes.ts"
import { pause, until } from "../../../../test/support/wait.ts"
import { figure } from "../../../../test/support/long.ts"
import { Random } from "../../../base/index.ts"

const fixture = new URL("./crash.fixture.ts", import.meta.url).pathname

interface Found {
  readonly openMs: number
  readonly loaded: number
  readonly broken: number
  readonly bytes: number
  readonly entries: number
  readonly faults: readonly unknown[]
}

/** What the entries take, each rounded up, and how many they are. */
function taken(path: string): { bytes: number; entries: number } {
  let bytes = 0
  let entries = 0
  for (const entry of readdirSync(join(path, "entries"), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    entries++
    bytes += Math.ceil(statSync(join(entry.parentPath, entry.name)).size / 4096) * 4096
  }
  return { bytes, entries }
}

test("killed twenty times with 200 writes under way: each entry is whole, each start is quick, the limit holds", async () => {
  const path = temporaryFolder("disk-store")
  const random = new Random(Date.now())
  const starts: number[] = []
  let loaded = 0
  for (let round = 0; round <= 20; round++) {
    const before = round === 0 ? { bytes: 0, entries: 0 } : taken(path)
    expect(before.bytes).toBeLessThanOrEqual(24_000_000)
    const child = startProgram("crash", process.execPath, [fixture, path, "200", `${round * 97}`])
    const found = JSON.parse(await until(() => child.lines[0], 10_000, "a start")) as Found
    expect([round, found.broken, found.faults]).toEqual([round, 0, []])
    // From the first moment on it knows what is there, or thinks that it is more: a row whose file went just before the end.
    expect(found.bytes).toBeGreaterThanOrEqual(before.bytes)
    expect(found.bytes).toBeLessThanOrEqual(24_000_000)
    expect(found.entries).toBeLessThanOrEqual(before.entries + 200)
    starts.push(found.openMs)
    loaded += found.loaded
    await pause(30 + random.below(120))
    child.child.kill("SIGKILL")
    await until(() => child.exitSignal === "SIGKILL")
  }
  expect(loaded).toBeGreaterThan(1000)
  expect(Math.max(...starts)).toBeLessThan(1000)
  figure("starts after a kill, ms", `${Math.min(...starts).toFixed(0)} to ${Math.max(...starts).toFixed(0)}`)
  figure("entries found whole", loaded)
}, 60_000)
