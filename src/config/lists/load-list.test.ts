import { afterAll, describe, expect, test } from "bun:test"
import { execFileSync } from "node:child_process"
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NameSet } from "../../base/index.ts"
import { namesListSchema } from "../schema/lists.ts"
import { ListError, loadList, loadListNow, loadListSlowly } from "./load-list.ts"
import { listsNow } from "./name-lists.ts"

const folder = mkdtempSync(join(tmpdir(), "bothways-lists-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0

function file(content: string | Uint8Array): string {
  const path = join(folder, `list-${files++}`)
  writeFileSync(path, content)
  return path
}

const names = (count: number): string => Array.from({ length: count }, (_, i) => `host${i}.example\n`).join("")

function trouble(options: object): { message: string; at: string } {
  try {
    loadListNow(namesListSchema.parse(options))
    return { message: "", at: "" }
  } catch (error) {
    if (!(error instanceof ListError)) throw error
    return { message: error.message, at: error.at.join(".") }
  }
}

test("names of the config and of all files are one list", () => {
  const loaded = loadListNow(namesListSchema.parse({ files: [file("a.test\n"), file("0.0.0.0 b.test\n")], names: ["*.c.test"] }))
  const set = new NameSet(loaded.memory)
  expect(["x.a.test", "b.test", "x.b.test", "c.test", "x.c.test"].map(host => set.has(host))).toEqual([true, true, false, false, true])
  expect([loaded.entries, loaded.files.map(({ rules, taken }) => [rules, taken])]).toEqual([
    3,
    [
      [1, 1],
      [1, 1],
    ],
  ])
})

test("larger than a piece, with names and letters that are cut by its end", () => {
  const text = Array.from({ length: 30_000 }, (_, i) => `büro${i}.example\n`).join("")
  const loaded = loadListNow(namesListSchema.parse({ files: file(text) }))
  expect([loaded.entries, loaded.files[0]!.malformed]).toEqual([30_000, 0])
})

test("slowly, in slices, it comes to the same", async () => {
  const config = namesListSchema.parse({ files: file(names(60_000)) })
  let stops = 0
  const steps = loadList(config)
  while (steps.next().done !== true) stops++
  expect(stops).toBeGreaterThan(5)
  expect((await loadListSlowly(config)).entries).toBe(60_000)
})

describe("what cannot be used is told with its place", () => {
  const directory = join(folder, "directory")
  mkdirSync(directory)
  const pipe = join(folder, "pipe")
  execFileSync("mkfifo", [pipe])
  const cases: [string, object, RegExp, string][] = [
    ["a file that is not there", { files: join(folder, "none") }, /there is no such file/, "files.0"],
    ["a directory", { files: [file("a.test"), directory] }, /is a directory/, "files.1"],
    ["a pipe", { files: pipe }, /no regular file/, "files.0"],
    ["too many octets", { files: file(names(100)), bytesMax: 500 }, /has 1490 octets; bytesMax is 500/, "files.0"],
    ["too many octets together", { files: [file(names(20)), file(names(20))], bytesMax: 500 }, /bytesMax/, "files.1"],
    ["too many names", { files: file(names(101)), entriesMax: 100 }, /101 different names; entriesMax is 100/, "files"],
    ["nothing", { files: file("") }, /no names; entriesMin is 1/, "files"],
    ["comments", { files: file("# nothing\n") }, /no names; entriesMin is 1/, "files"],
    ["nothing that is a name", { files: file("##.ad\nx.test##.ad\n") }, /no names \(none of its 1 lines is a rule about a name/, "files"],
    ["too few", { files: file(names(9)), entriesMin: 10 }, /only 9 names; entriesMin is 10/, "files"],
    ["octets", { files: file(Buffer.from([1, 0, 255])) }, /an octet 0/, "files.0"],
    [
      "words",
      { files: file("some words\nthat are no list\nok.test\n") },
      /2 of 3 lines are of no known format; the first is line 1, "some words"/,
      "files.0",
    ],
    ["another format", { files: file(names(3)), format: "hosts" }, /3 of 3 lines are not of the format hosts/, "files.0"],
  ]
  for (const [what, options, message, at] of cases)
    test(what, () => {
      const found = trouble(options)
      expect(found.message).toMatch(message)
      expect(found.at).toBe(at)
    })
})

test("every line twice is no more names; an empty file may be wanted", () => {
  expect(trouble({ files: file(names(100) + names(100)), entriesMax: 100 }).message).toBe("")
  expect(trouble({ files: file(""), entriesMin: 0 }).message).toBe("")
})

test("a file that is still being written is told apart", () => {
  const path = file(names(40_000))
  const steps = loadList(namesListSchema.parse({ files: path }))
  steps.next()
  appendFileSync(path, "more.example\n")
  let found: unknown = null
  try {
    while (steps.next().done !== true);
  } catch (error) {
    found = error
  }
  expect(found).toBeInstanceOf(ListError)
  expect((found as ListError).passing).toBe(true)
})

test("lists are read when somebody asks, and unknown ones are told with the nearest word", () => {
  const lists = { ads: namesListSchema.parse({ names: ["a.test"], category: "ads" }), broken: namesListSchema.parse({ files: "/none" }) }
  const live = listsNow({ lists })
  expect(live.get("ads").has("x.a.test")).toBe(true)
  expect(live.get("ads")).toBe(live.ofCategory("ads")[0]!)
  expect(() => live.get("adz")).toThrow('there is no list "adz"; did you mean "ads"?')
  expect(() => live.ofCategory("games")).toThrow('there is no category "games"; there are ads')
  expect(() => live.get("broken")).toThrow("there is no such file")
})
