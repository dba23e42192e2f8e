import { afterEach, describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { FakeClock, type LogRecord, setLogSink } from "../../../base/index.ts"
import { createFileSink } from "./file.ts"

const folders: string[] = []
const quick = { flushMs: 1, brokenMs: 5 }

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "bothways-log-"))
  folders.push(made)
  return made
}

afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true })
})

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await Bun.sleep(1)
  expect(condition()).toBe(true)
}

const holds = (path: string, text: string) => () => existsSync(path) && readFileSync(path, "utf8") === text

describe("file sink", () => {
  test("creates the file for owner and group only and appends", async () => {
    const path = join(folder(), "access.log")
    const first = createFileSink(path)
    first.write("a\n")
    await first.close()
    const second = createFileSink(path)
    second.write("b\n")
    await second.close()
    expect(readFileSync(path, "utf8")).toBe("a\nb\n")
    expect(statSync(path).mode & 0o137).toBe(0)
  })

  test("follows the path within a second when the file is moved or deleted", async () => {
    const path = join(folder(), "access.log")
    const clock = new FakeClock()
    const sink = createFileSink(path, clock, quick)
    sink.write("a\n")
    await until(holds(path, "a\n"))
    renameSync(path, `${path}.1`)
    sink.write("b\n")
    await until(holds(`${path}.1`, "a\nb\n"))
    clock.advance(1000)
    sink.write("c\n")
    await until(holds(path, "c\n"))
    rmSync(path)
    clock.advance(1000)
    sink.write("d\n")
    await until(holds(path, "d\n"))
    await sink.close()
    expect(readFileSync(`${path}.1`, "utf8")).toBe("a\nb\n")
  })

  test("reopen takes effect at once", async () => {
    const path = join(folder(), "access.log")
    const sink = createFileSink(path, new FakeClock(), quick)
    sink.write("a\n")
    await until(holds(path, "a\n"))
    renameSync(path, `${path}.1`)
    sink.reopen()
    sink.write("b\n")
    await sink.close()
    expect(readFileSync(path, "utf8")).toBe("b\n")
  })

  test("a missing directory is one warning a minute, not an error, and the lines come when it is there", async () => {
    const base = folder()
    const path = join(base, "logs", "access.log")
    const records: LogRecord[] = []
    const before = setLogSink(record => records.push(record))
    const clock = new FakeClock()
    try {
      const sink = createFileSink(path, clock, quick)
      sink.write("a\n")
      await Bun.sleep(40)
      expect(records.map(record => record.fields["target"])).toEqual([path])
      expect(String(records[0]!.fields["error"])).toContain("ENOENT")
      clock.advance(60_000)
      await until(() => records.length === 2)
      mkdirSync(join(base, "logs"))
      await until(holds(path, "a\n"))
      await sink.close()
      expect(sink.dropped()).toBe(0)
    } finally {
      setLogSink(before ?? null)
    }
  })

  test("a full disk loses lines beyond the queue and nothing else", async () => {
    if (!existsSync("/dev/full")) return expect(process.platform).not.toBe("linux")
    const before = setLogSink(() => {})
    try {
      const sink = createFileSink("/dev/full", new FakeClock(), { ...quick, queueBytesMax: 100, closeMs: 20 })
      for (let i = 0; i < 50; i++) sink.write("123456789\n")
      await sink.close()
      expect(sink.dropped()).toBe(50)
    } finally {
      setLogSink(before ?? null)
    }
  })

  test("batches of two threads do not mix", async () => {
    const path = join(folder(), "access.log")
    const script = `
      const { workerData: [file, path, letter] } = require("node:worker_threads")
      const { createFileSink } = await import(file)
      const sink = createFileSink(path)
      for (let i = 0; i < 4000; i++) sink.write(letter.repeat(60) + "\\n")
      await sink.close()`
    const ends = ["a", "b"].map(letter => {
      const worker = new Worker(`(async () => {${script}})()`, { eval: true, workerData: [join(import.meta.dir, "file.ts"), path, letter] })
      return new Promise(resolve => worker.once("exit", resolve))
    })
    await Promise.all(ends)
    const lines = readFileSync(path, "utf8").split("\n")
    expect(lines.pop()).toBe("")
    expect(lines).toHaveLength(8000)
    expect(lines.every(line => line === "a".repeat(60) || line === "b".repeat(60))).toBe(true)
  })
})
