import { afterAll, expect, test } from "bun:test"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layOut, readHandoff } from "./handoff.ts"
import { ownCommand, programProblem } from "./own-command.ts"
import { PidFile } from "./pid-file.ts"

const folder = mkdtempSync(join(tmpdir(), "bothways-handoff-"))
afterAll(() => rmSync(folder, { recursive: true }))

test("descriptors are laid out from 4 on, those of an address together, the admin listener's last", () => {
  const sockets = [
    { bind: ":80", fd: 30 },
    { bind: "unix:/a", fd: 9 },
    { bind: ":80", fd: 12 },
  ]
  const { fds, text } = layOut({ sockets, admin: { bind: "127.0.0.1:9900", fd: 7 }, ports: new Map([["web[0] ", 80]]), disks: ["/cache"] })
  expect(fds).toEqual([30, 9, 12, 7])
  expect(readHandoff(text, process.pid)).toEqual({
    pid: process.pid,
    sockets: [
      [":80", [4, 6]],
      ["unix:/a", [5]],
    ],
    admin: ["127.0.0.1:9900", 7],
    ports: [["web[0] ", 80]],
    disks: ["/cache"],
  })
})

test("what another process was told, or nobody, is no handoff", () => {
  const { text } = layOut({ sockets: [], admin: null, ports: new Map(), disks: [] })
  for (const not of [undefined, "", "{", "null", "{}", `{"pid":${process.pid}}`]) expect(readHandoff(not, process.pid)).toBeNull()
  expect(readHandoff(text, process.pid + 1)).toBeNull()
})

test("the command is this process's, of the program that is on disk", async () => {
  expect(ownCommand().slice(0, 1)).toEqual([process.execPath])
  expect(ownCommand()).toContain(process.argv[1]!)
  const broken = join(folder, "broken")
  writeFileSync(broken, "#!/bin/sh\necho half of it is missing >&2\nexit 9\n", { mode: 0o755 })
  expect(await programProblem([broken])).toContain("half of it is missing")
  expect(await programProblem([join(folder, "gone")])).toContain("cannot be started")
  expect(await programProblem(["/bin/true"])).toBe("")
})

test("a PID file names who wrote it last, and only that one removes it", () => {
  const path = join(folder, "pid")
  const file = new PidFile(path)
  expect([readFileSync(path, "utf8"), readdirSync(folder).filter(name => name.startsWith("pid"))]).toEqual([`${process.pid}\n`, ["pid"]])
  writeFileSync(path, "1\n")
  file.remove()
  expect(existsSync(path)).toBe(true)
  new PidFile(path).remove()
  expect(existsSync(path)).toBe(false)
  expect(() => new PidFile(join(folder, "nowhere", "pid"))).toThrow("ENOENT")
})
