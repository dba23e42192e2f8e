import { expect, test } from "bun:test"
import { encodeLines } from "./block.fixture.ts"
import { HpackEncoder } from "./encoder.ts"
import { knownLine } from "./known-line.ts"
import { knownName } from "./known-name.ts"

function others(count: number, from: number): void {
  for (let i = 0; i < count; i++) knownLine(`X-Other: ${from + i}\r\n`)
}

test("a line is known while at most 256 others come, and no longer than two times as many", () => {
  expect(knownLine("X-Known: 1\r\n").repeats).toBe(false)
  others(256, 0)
  expect(knownLine("X-Known: 1\r\n").repeats).toBe(true)
  knownLine("X-Lost: 1\r\n")
  others(512, 1000)
  expect(knownLine("X-Lost: 1\r\n").repeats).toBe(false)
})

test("a line that is too long for any table is not kept", () => {
  const line = `X-Kept: ${"v".repeat(1000)}\r\n`
  encodeLines(new HpackEncoder(), line)
  expect(knownLine(line).repeats).toBe(false)
})

test("a name is known by how it is written; there are 512 at most, and none is long", () => {
  const name = knownName("X-Name")
  expect(name).toMatchObject({ prefix: "X-Name:", lower: "x-name", staticIndex: 0 })
  expect(knownName("X-Name")).toBe(name)
  expect(knownName("x-name")).not.toBe(name)
  const long = "n".repeat(65)
  expect(knownName(long)).not.toBe(knownName(long))
  for (let i = 0; i < 512; i++) knownName(`X-${i}`)
  expect(knownName("X-Name")).not.toBe(name)
})
