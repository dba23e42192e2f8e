import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type ListConfig, parseConfig } from "../../config/index.ts"
import { KeptList } from "./kept-list.ts"

const folder = mkdtempSync(join(tmpdir(), "bothways-kept-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const path = join(folder, "names.txt")
const names = (count: number): string => Array.from({ length: count }, (_, i) => `n${i}.test\n`).join("")

/** Written a while ago, so that nobody waits for the rest. */
function write(content: string, ago = 10): void {
  writeFileSync(path, content)
  const then = Date.now() / 1000 - ago
  utimesSync(path, then, then)
}

async function listOf(options: object): Promise<ListConfig> {
  const text = { lists: { ads: { files: path, ...options } }, listeners: { web: { bind: "127.0.0.1:8080" } }, routes: [{ to: { respond: {} } }] }
  const result = await parseConfig(JSON.stringify(text), join(folder, "x.yaml"))
  if (!result.ok) throw new Error(result.problems[0]!.message)
  return result.config.lists["ads"]!
}

async function kept(content: string, options: object = {}): Promise<KeptList> {
  write(content)
  return KeptList.load("ads", await listOf(options))
}

test("a version that is good is taken, and told once", async () => {
  const list = await kept(names(10))
  expect(await list.look(false)).toBe("same")
  write(names(11))
  expect(await list.look(false)).toBe("replaced")
  expect([list.version, list.loaded.entries, list.set.has("n10.test"), list.error]).toEqual([2, 11, true, ""])
  expect(await list.look(false)).toBe("same")
})

test("what was just written is waited for, unless somebody asked", async () => {
  const list = await kept(names(10))
  writeFileSync(path, names(12))
  expect(await list.look(false)).toBe("same")
  // The second look finds the same, so nobody writes any more.
  expect(await list.look(false)).toBe("replaced")
  writeFileSync(path, names(13))
  expect(await list.look(true)).toBe("replaced")
})

test("a version that has lost many names is refused once, and taken where somebody asks for it", async () => {
  const list = await kept(names(1000))
  write(names(700))
  expect(await list.look(false)).toBe("replaced")
  const many = await kept(names(1001))
  write(names(700))
  expect([await many.look(false), await many.look(false), many.failures, many.loaded.entries]).toEqual(["refused", "same", 1, 1001])
  expect(many.error).toMatch(/has 700 names where it had 1001; shrinkMax is 30%/)
  expect([await many.look(true), many.error, many.loaded.entries]).toEqual(["replaced", "", 700])
  const any = await kept(names(2000), { shrinkMax: "100%" })
  write(names(1))
  expect(await any.look(false)).toBe("replaced")
})

test("a short list may change as it likes", async () => {
  const list = await kept(names(900))
  write(names(1))
  expect(await list.look(false)).toBe("replaced")
})

test("gone is said on the second look, and the same file again is no news", async () => {
  const list = await kept(names(10))
  renameSync(path, `${path}.away`)
  expect([await list.look(false), await list.look(false), await list.look(false)]).toEqual(["same", "refused", "same"])
  expect(list.error).toMatch(/is gone/)
  renameSync(`${path}.away`, path)
  // A rename changes the time of the inode, so that it is read again.
  expect(["back", "replaced"]).toContain(await list.look(false))
  expect([list.error, list.failures]).toEqual(["", 1])
})

test("the file is what is in force again", async () => {
  const list = await kept(names(10))
  renameSync(path, `${path}.good`)
  write("")
  expect([await list.look(false), list.error]).toEqual(["refused", expect.stringMatching(/no names/)])
  renameSync(`${path}.good`, path)
  expect(["back", "replaced"]).toContain(await list.look(false))
  expect(list.error).toBe("")
})

test("spare memory is used for the next version", async () => {
  const list = await kept(names(2000))
  const first = list.loaded.memory
  write(names(2010))
  await list.look(false)
  list.spare = first
  write(names(2020))
  await list.look(false)
  expect(list.loaded.memory).toBe(first)
  expect(list.spare === null && list.set.has("n2019.test")).toBe(true)
})
