import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { LINE_BYTES_MAX, LogFileError, readLines } from "./read-lines.ts"

const directory = mkdtempSync(join(tmpdir(), "bothways-lines-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function linesOf(content: string | Buffer, max = Number.POSITIVE_INFINITY): Promise<string[]> {
  const path = join(directory, "some.log")
  writeFileSync(path, content)
  const lines: string[] = []
  await readLines(path, line => lines.push(line) < max)
  return lines
}

const long = Array.from({ length: 20_000 }, (_, i) => `line ${i} ${"x".repeat(i % 60)}`)

describe("the lines of a file", () => {
  test("with and without an end, empty ones left out, any line end, octet for octet", async () => {
    expect(await linesOf("")).toEqual([])
    expect(await linesOf("a\nb")).toEqual(["a", "b"])
    expect(await linesOf("a\r\n\n\nb\n")).toEqual(["a", "b"])
    expect(await linesOf(Buffer.from([0x61, 0xe9, 0x80, 0x0a]))).toEqual(["a\xe9\x80"])
    expect(await linesOf(long.join("\n"))).toEqual(long)
  })

  test("gzip, also in several members, is told by its first octets", async () => {
    expect(await linesOf(gzipSync(long.join("\n")))).toEqual(long)
    expect(await linesOf(Buffer.concat([gzipSync("a\nb"), gzipSync("c\nd\n")]))).toEqual(["a", "bc", "d"])
    expect(await linesOf(gzipSync(""))).toEqual([])
  })

  test("a line over the limit is one that is nothing, and what follows is whole", async () => {
    const lines = await linesOf(`a\n${"y".repeat(LINE_BYTES_MAX + 1)}\n${"z".repeat(3 * LINE_BYTES_MAX)}\nb\n${"y".repeat(LINE_BYTES_MAX * 2)}`)
    expect(lines.map(line => line.slice(0, 3))).toEqual(["a", "\0", "\0", "b", "\0"])
    expect(await linesOf(`${"y".repeat(LINE_BYTES_MAX)}\nb`)).toEqual(["y".repeat(LINE_BYTES_MAX), "b"])
  })

  test("who has heard enough gets no more", async () => {
    expect(await linesOf(long.join("\n"), 3)).toEqual(long.slice(0, 3))
    expect(await linesOf(gzipSync(long.join("\n")), 3)).toEqual(long.slice(0, 3))
  })

  test("gzip that breaks off or is damaged", async () => {
    const packed = gzipSync(long.join("\n"))
    const damaged = Buffer.concat([packed.subarray(0, 500), Buffer.alloc(100, 7), packed.subarray(600)])
    for (const content of [packed.subarray(0, packed.length - 100), damaged]) {
      const error = await linesOf(content).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(LogFileError)
      expect((error as Error).message).toMatch(/some\.log: the gzip data are broken: /)
    }
  })
})
