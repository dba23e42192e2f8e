import { afterEach, describe, expect, test } from "bun:test"
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { watchConfig } from "./config-watch.ts"

const cleanup: (() => void)[] = []
afterEach(() => {
  for (const undo of cleanup.splice(0)) undo()
})

const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), "bothways-watch-"))
  cleanup.push(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function watching(file: string, pollMs = 60_000) {
  const seen = { count: 0 }
  cleanup.push(watchConfig(file, () => void seen.count++, { debounceMs: 40, pollMs }))
  return seen
}

async function until(condition: () => boolean, ms = 1500): Promise<boolean> {
  for (const end = performance.now() + ms; performance.now() < end; await pause(10)) if (condition()) return true
  return false
}

describe("watchConfig", () => {
  test("written in place", async () => {
    const file = join(place(), "a.yaml")
    writeFileSync(file, "1")
    const seen = watching(file)
    writeFileSync(file, "22")
    expect(await until(() => seen.count === 1)).toBe(true)
  })

  test("half a file, then the rest: told once when it is quiet", async () => {
    const file = join(place(), "a.yaml")
    writeFileSync(file, "1")
    const seen = watching(file)
    writeFileSync(file, "half")
    await pause(10)
    appendFileSync(file, " and whole")
    expect(await until(() => seen.count > 0)).toBe(true)
    await pause(120)
    expect(seen.count).toBe(1)
  })

  test("replaced by a rename, twice", async () => {
    const directory = place()
    const file = join(directory, "a.yaml")
    writeFileSync(file, "1")
    const seen = watching(file)
    for (const [round, content] of ["2", "3"].entries()) {
      writeFileSync(join(directory, ".a.yaml.tmp"), content)
      renameSync(join(directory, ".a.yaml.tmp"), file)
      expect(await until(() => seen.count === round + 1)).toBe(true)
    }
  })

  test("a symbolic link to a directory is switched, twice, the way Kubernetes does it; then the new file is edited", async () => {
    const directory = place()
    for (const version of ["v1", "v2", "v3"]) {
      mkdirSync(join(directory, version))
      writeFileSync(join(directory, version, "a.yaml"), version)
    }
    symlinkSync("v1", join(directory, "..data"))
    symlinkSync("..data/a.yaml", join(directory, "a.yaml"))
    const seen = watching(join(directory, "a.yaml"))
    for (const [round, version] of ["v2", "v3"].entries()) {
      symlinkSync(version, join(directory, "..tmp"))
      renameSync(join(directory, "..tmp"), join(directory, "..data"))
      expect(await until(() => seen.count === round + 1)).toBe(true)
    }
    writeFileSync(join(directory, "v3", "a.yaml"), "edited where it really is")
    expect(await until(() => seen.count === 3)).toBe(true)
  })

  test("deleted: nothing is told until it is back", async () => {
    const file = join(place(), "a.yaml")
    writeFileSync(file, "1")
    const seen = watching(file)
    unlinkSync(file)
    await pause(120)
    expect(seen.count).toBe(0)
    writeFileSync(file, "back")
    expect(await until(() => seen.count === 1)).toBe(true)
  })

  test("other files of the directory, and reads, are not changes", async () => {
    const directory = place()
    const file = join(directory, "a.yaml")
    writeFileSync(file, "1")
    const seen = watching(file)
    writeFileSync(join(directory, "other"), "x")
    await pause(120)
    expect(seen.count).toBe(0)
  })

  test("the poll finds what events did not tell: a link out of the watched directories", async () => {
    const here = place()
    const there = place()
    mkdirSync(join(there, "deep"))
    writeFileSync(join(there, "deep", "a.yaml"), "1")
    symlinkSync(join(there, "deep"), join(there, "current"))
    symlinkSync(join(there, "current", "a.yaml"), join(here, "a.yaml"))
    const seen = watching(join(here, "a.yaml"), 30)
    mkdirSync(join(there, "deeper"))
    writeFileSync(join(there, "deeper", "a.yaml"), "2")
    symlinkSync(join(there, "deeper"), join(there, "next"))
    renameSync(join(there, "next"), join(there, "current"))
    expect(await until(() => seen.count === 1)).toBe(true)
  })

  test("a directory of fragments: one is edited, one comes, one goes; what begins with a dot does not count", async () => {
    const directory = join(place(), "conf.d")
    mkdirSync(directory)
    writeFileSync(join(directory, "a.yaml"), "1")
    const seen = watching(directory)
    writeFileSync(join(directory, "a.yaml"), "22")
    expect(await until(() => seen.count === 1)).toBe(true)
    writeFileSync(join(directory, "b.yaml"), "1")
    expect(await until(() => seen.count === 2)).toBe(true)
    unlinkSync(join(directory, "a.yaml"))
    expect(await until(() => seen.count === 3)).toBe(true)
    writeFileSync(join(directory, ".b.yaml.swp"), "x")
    await pause(100)
    expect(seen.count).toBe(3)
  })

  test("stopped: silent", async () => {
    const file = join(place(), "a.yaml")
    writeFileSync(file, "1")
    const seen = { count: 0 }
    watchConfig(file, () => void seen.count++, { debounceMs: 10, pollMs: 20 })()
    writeFileSync(file, "2")
    await pause(100)
    expect(seen.count).toBe(0)
  })
})
