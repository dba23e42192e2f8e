import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { FakeClock } from "./clock.ts"
import { type LogRecord, log, logOf, setLogLevel, setLogSink, writeLog } from "./log.ts"
import { jsonLine, textLine } from "./log-line.ts"

let records: LogRecord[] = []
let clock = new FakeClock()

beforeEach(() => {
  records = []
  clock = new FakeClock()
  setLogSink(record => records.push(record), clock)
})

afterEach(() => {
  setLogSink(null)
  setLogLevel("info")
})

describe("log", () => {
  test("makes plain entries, from either form", () => {
    log.warn("net", "name does not resolve", { name: "a.test", tries: 2, error: new TypeError("no such name"), gone: undefined, none: null })
    logOf("control").error("config refused", { problems: ["a", { at: 1 }], id: 7n, own: Symbol("x") })
    expect(records).toEqual([
      {
        wall: clock.wall(),
        level: "warn",
        room: "net",
        message: "name does not resolve",
        fields: { name: "a.test", tries: 2, error: "TypeError: no such name", none: null },
      },
      {
        wall: clock.wall(),
        level: "error",
        room: "control",
        message: "config refused",
        fields: { problems: ["a", { at: 1 }], id: "7", own: "Symbol(x)" },
      },
    ])
    expect(structuredClone(records)).toEqual(records)
  })

  test("leaves out what is below the level", () => {
    log.debug("net", "quiet")
    setLogLevel("debug")
    log.debug("net", "heard")
    setLogLevel("error")
    log.warn("net", "quiet again")
    logOf("net").error("loud")
    expect(records.map(record => record.message)).toEqual(["heard", "loud"])
  })

  test("values have a longest length, and a circle is no trouble", () => {
    const circle: Record<string, unknown> = {}
    circle["self"] = circle
    log.info("net", "odd values", {
      long: "x".repeat(10_000),
      list: Array.from({ length: 5000 }, (_, i) => i),
      circle,
      error: new Error("y".repeat(9000)),
    })
    const { long, list, circle: shown, error } = records[0]!.fields as Record<string, string>
    expect([long!.length, list!.length, error!.length, shown]).toEqual([8193, 8193, 8193, "[not plain data]"])
  })

  test("the same message passes twenty times a minute, then says what was dropped", () => {
    for (let i = 0; i < 500; i++) log.warn("net", "refused", { i })
    log.warn("net", "another")
    log.warn("http", "refused")
    expect(records.length).toBe(22)
    expect(records[18]!.fields).toEqual({ i: 18 })
    expect(records[19]!.fields).toEqual({ i: 19, limit: "more of these are dropped until the minute is over" })
    clock.advance(59_999)
    log.warn("net", "refused")
    expect(records.length).toBe(22)
    clock.advance(1)
    log.warn("net", "refused")
    expect(records[22]!.fields).toEqual({ dropped: 481 })
    clock.advance(60_000)
    log.warn("net", "refused")
    expect(records[23]!.fields).toEqual({})
  })

  test("what counts the messages does not grow without end", () => {
    for (let i = 0; i < 5000; i++) log.info("net", `message ${i}`)
    for (let i = 0; i < 25; i++) log.info("net", "message 4999")
    expect(records.filter(record => record.message === "message 4999").length).toBe(20)
  })

  test("entries of another thread pass as they are; a sink that fails harms nobody", () => {
    const record: LogRecord = { wall: 5, level: "debug", room: "net", message: "from a worker", fields: {} }
    writeLog(record)
    expect(records).toEqual([record])
    setLogSink(() => {
      throw new Error("disk full")
    })
    expect(() => log.error("net", "unheard")).not.toThrow()
  })
})

describe("lines", () => {
  const record: LogRecord = {
    wall: 1_767_225_600_123,
    level: "warn",
    room: "net",
    message: "name does not resolve",
    fields: { name: "a.test", ms: 12.5, ok: false, none: null, error: 'said "no"', empty: "", list: [1, "b"] },
  }

  test("text", () => {
    expect(textLine(record, false)).toBe(
      '2026-01-01T00:00:00.123Z warn net name does not resolve name=a.test ms=12.5 ok=false none=null error="said \\"no\\"" empty="" list=[1,"b"]\n',
    )
    expect(textLine({ ...record, fields: {} }, true)).toBe("2026-01-01T00:00:00.123Z \x1b[33mwarn\x1b[0m net name does not resolve\n")
  })

  test("JSON, where the four fixed names stay what they are", () => {
    const line = jsonLine({ ...record, fields: { level: 3, message: "other", free: "x" } })
    expect(JSON.parse(line)).toEqual({
      time: "2026-01-01T00:00:00.123Z",
      level: "warn",
      room: "net",
      message: "name does not resolve",
      level_: 3,
      message_: "other",
      free: "x",
    })
  })

  test("nothing that a stranger sends makes a second line, a control sequence or a field", () => {
    const hostile = "x\r\n2026 error net forged\x1b[2J\x9b31m\u202e\u2028 a=b"
    const fields = { value: hostile, "na me=\n": "v", "new\nline": hostile }
    for (const line of [textLine({ ...record, message: hostile, fields }, false), jsonLine({ ...record, message: hostile, fields })]) {
      expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/)
      expect(line.endsWith("\n")).toBe(true)
    }
    expect(JSON.parse(jsonLine({ ...record, message: hostile, fields: {} })).message).toBe(hostile)
    expect(textLine({ ...record, fields: { "na me=": "v" } }, false)).toEndWith(" na_me_=v\n")
  })
})

describe("standard error", () => {
  const script = `import { log } from ${JSON.stringify(`${import.meta.dirname}/log.ts`)}; log.error("net", "last words", { n: 1 }); process.exit(3)`

  function run(env: Record<string, string>) {
    return spawnSync(process.execPath, ["-e", script], { env: { PATH: process.env["PATH"] ?? "", ...env }, encoding: "utf8" })
  }

  test("gets a line of text without colour, even when the process ends at once", () => {
    const { status, stderr, stdout } = run({})
    expect([status, stdout]).toEqual([3, ""])
    expect(stderr).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z error net last words n=1\n$/)
  })

  test("gets JSON when BOTHWAYS_LOG=json", () => {
    expect(JSON.parse(run({ BOTHWAYS_LOG: "json" }).stderr)).toMatchObject({ level: "error", room: "net", message: "last words", n: 1 })
  })
})
