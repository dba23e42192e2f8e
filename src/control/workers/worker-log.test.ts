import { describe, expect, test } from "bun:test"
import type { LogRecord } from "../../base/index.ts"
import { WorkerLog } from "./worker-log.ts"

function logged(...entries: readonly (readonly [worker: number, wall: number, message: string, fields?: Record<string, unknown>])[]): string[] {
  const out: string[] = []
  const log = new WorkerLog(({ message, fields, wall }) => out.push(`${wall} ${message} ${JSON.stringify(fields)}`))
  for (const [worker, wall, message, fields = {}] of entries)
    log.take(worker, { wall, level: "warn", room: "net", message, fields } satisfies LogRecord)
  return out
}

describe("the log of several workers", () => {
  test("what each of them says is said once", () => {
    expect(logged([0, 0, "a"], [1, 900, "a"], [2, 2999, "a"])).toEqual(["0 a {}"])
  })
  test("what one of them repeats is said again, and the others' repetitions with it", () => {
    expect(logged([0, 0, "a"], [1, 10, "a"], [0, 20, "a"], [1, 30, "a"])).toEqual(["0 a {}", "20 a {}"])
  })
  test("other words, other facts and another time are other events", () => {
    expect(logged([0, 0, "a"], [1, 1, "b"], [1, 2, "a", { file: "x" }], [1, 3000, "a"]).length).toBe(4)
  })
  test("forgets what was said first when it has to", () => {
    const many = Array.from({ length: 300 }, (_, i) => [0, 0, `m${i}`] as const)
    expect(logged(...many, [1, 1, "m0"], [1, 1, "m299"]).length).toBe(301)
  })
})
