import { afterEach, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Log } from "../../base/index.ts"
import type { Config } from "../../config/index.ts"
import { LogKeeper } from "./log-keeper.ts"

const folder = mkdtempSync(join(tmpdir(), "bothways-logs-"))
afterEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
})
const quiet = { info: () => {}, warn: () => {} } as unknown as Log
const path = join(folder, "access.log")
const config = (rotate: object | null): Config => ({ observe: { accessLog: { to: { kind: "file", path }, rotate } } }) as unknown as Config
const day = 86_400_000

test("a file of yesterday gets its day's name, and old ones go", () => {
  const today = Math.floor(Date.now() / day) * day
  let now = Date.now()
  const stamp = (at: number): string => new Date(at).toISOString().slice(0, 10)
  const keeper = new LogKeeper(quiet, () => now)
  writeFileSync(path, "line\n")
  for (const name of [
    `access.log.${stamp(today - 2 * day)}`,
    `access.log.${stamp(today - 9 * day)}.gz`,
    `access.log.${stamp(today - 9 * day)}T05`,
    "access.log.keep",
    "other.2020-01-01",
  ])
    writeFileSync(join(folder, name), "")
  keeper.follow(config({ every: "day", keepDays: 3 }))
  expect(readdirSync(folder).sort()).toEqual(["access.log", `access.log.${stamp(today - 2 * day)}`, "access.log.keep", "other.2020-01-01"].sort())
  now += day
  keeper.look()
  expect(readdirSync(folder)).toContain(`access.log.${stamp(today)}`)
  expect(readdirSync(folder)).not.toContain("access.log")
  writeFileSync(path, "line\n")
  writeFileSync(join(folder, `access.log.${stamp(today + day)}`), "")
  now += day
  keeper.look()
  keeper.stop()
  expect(readdirSync(folder)).not.toContain("access.log")
})

test("an empty file, one that is not there and a config without rotation stay as they are", () => {
  const keeper = new LogKeeper(quiet, () => Date.now() + 5 * day)
  keeper.follow(config({ every: "hour", keepDays: 3 }))
  writeFileSync(path, "")
  keeper.look()
  writeFileSync(path, "x")
  keeper.follow(config(null))
  keeper.look()
  keeper.stop()
  expect(readdirSync(folder)).toEqual(["access.log"])
})
