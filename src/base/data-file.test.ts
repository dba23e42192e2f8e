import { expect, test } from "bun:test"
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DATA_FILE_BYTES_MAX, readDataFile } from "./data-file.ts"

const folder = mkdtempSync(join(tmpdir(), "bothways-data-file-"))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, "file")

test("gives the text of a file", () => {
  writeFileSync(file, "ünd\n")
  expect(readDataFile(file)).toBe("ünd\n")
})

test("says what is wrong with anything else", () => {
  expect(() => readDataFile(join(folder, "none"))).toThrow(`${join(folder, "none")}: there is no such file`)
  expect(() => readDataFile(folder)).toThrow(`${folder}: it is a directory`)
  const pipe = join(folder, "pipe")
  expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0)
  expect(() => readDataFile(pipe)).toThrow("it is no regular file")
})

test("does not read what is too large", () => {
  writeFileSync(file, "")
  truncateSync(file, DATA_FILE_BYTES_MAX + 1)
  expect(() => readDataFile(file)).toThrow(`it has ${DATA_FILE_BYTES_MAX + 1} octets; expected at most ${DATA_FILE_BYTES_MAX}`)
  truncateSync(file, DATA_FILE_BYTES_MAX)
  expect(readDataFile(file).length).toBe(DATA_FILE_BYTES_MAX)
})
