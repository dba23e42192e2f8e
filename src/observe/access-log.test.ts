import { describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setLogSink } from "../base/index.ts"
import { createAccessLog } from "./access-log.ts"
import combined from "./format/combined/combined.ts"
import { sampleExchange } from "./format/sample-exchange.fixture.ts"

describe("createAccessLog", () => {
  test("writes one line an exchange to a file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bothways-log-"))
    try {
      const path = join(folder, "access.log")
      const log = createAccessLog({ format: combined.compile({ redact: true }), to: { kind: "file", path } })
      expect(log.enabled).toBe(true)
      log.log(sampleExchange())
      log.log(sampleExchange({ status: 404 }))
      await log.close()
      expect(
        readFileSync(path, "utf8")
          .split("\n")
          .map(line => / (\d{3}) 1234 /.exec(line)?.[1]),
      ).toEqual(["200", "404", undefined])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test("none never asks the format", async () => {
    let asked = 0
    const log = createAccessLog({ format: () => String(asked++), to: { kind: "none" } })
    log.log(sampleExchange())
    log.reopen()
    await log.close()
    expect([log.enabled, asked, log.dropped()]).toEqual([false, 0, 0])
  })

  test("a format that throws costs its line only", async () => {
    const before = setLogSink(() => {})
    try {
      const format = () => {
        throw new Error("no")
      }
      const log = createAccessLog({ format, to: { kind: "file", path: join(tmpdir(), "never-written") } })
      log.log(sampleExchange())
      expect(log.dropped()).toBe(1)
      await log.close()
    } finally {
      setLogSink(before ?? null)
    }
  })
})
