import { describe, expect, test } from "bun:test"
import { type DoomTarget, isBefore, WriterBook, type WriterRecord } from "./writer-book.ts"

let tickets = 0
function writer(key: string, epoch: number, labels: string[] = []): WriterRecord {
  return { ticket: tickets++, self: 0, epoch, key, groupLength: key.indexOf("|"), labels, reserved: 0, doomed: false }
}

const targets: DoomTarget[] = [
  { by: "key", key: "http://a/x|1" },
  { by: "group", group: "http://a/x" },
  { by: "prefix", prefix: "http://a/" },
  { by: "label", label: "l" },
  { by: "all" },
]

describe("book of writers", () => {
  for (const target of targets) {
    test(`${target.by}: dooms older writers, whether it hears of them before or after, and no younger ones`, () => {
      const book = new WriterBook()
      const early = writer("http://a/x|1", 4, ["l"])
      book.add(early)
      book.doom(target, 5)
      const late = writer("http://a/x|1", 4, ["l"])
      const young = writer("http://a/x|1", 5, ["l"])
      const other = writer("http://b/y|1", 4, ["m"])
      for (const each of [late, young, other]) book.add(each)
      expect([early.doomed, late.doomed, young.doomed, other.doomed]).toEqual([true, true, false, target.by === "all"])
      book.forget(4)
      expect(book.remembered).toBe(1)
      book.forget(5)
      expect(book.remembered).toBe(0)
    })
  }

  test("a group is not one that begins alike, a prefix does not reach into the rest of a key", () => {
    const book = new WriterBook()
    const longer = writer("http://a/xy|1", 1)
    book.add(longer)
    book.doom({ by: "group", group: "http://a/x" }, 2)
    book.doom({ by: "prefix", prefix: "http://a/xy|" }, 3)
    expect(longer.doomed).toBe(false)
    book.doom({ by: "prefix", prefix: "http://a/xy" }, 4)
    expect(longer.doomed).toBe(true)
  })

  test("remembers the latest purge of a group", () => {
    const book = new WriterBook()
    book.doom({ by: "group", group: "http://a/x" }, 9)
    book.doom({ by: "group", group: "http://a/x" }, 7)
    expect(book.isPurgedSince(writer("http://a/x|1", 8), 8)).toBe(true)
    book.forget(8)
    expect(book.isPurgedSince(writer("http://a/x|1", 8), 8)).toBe(true)
  })

  test("does not remember without end: a worker that never answers makes it doom more, not less", () => {
    const book = new WriterBook()
    for (let n = 0; n < 25_000; n++) book.doom({ by: "group", group: `http://a/${n}` }, n)
    expect(book.remembered).toBeLessThanOrEqual(10_000)
    expect(book.isPurgedSince(writer("http://a/3|1", 2), 2)).toBe(true)
    expect(book.isPurgedSince(writer("http://a/24999|1", 24_998), 24_998)).toBe(true)
    expect(book.isPurgedSince(writer("http://a/3|1", 24_999), 24_999)).toBe(false)
  })

  test("epochs count on past 32 bits", () => {
    expect(isBefore(0x7fff_ffff, 0x8000_0000 | 0)).toBe(true)
    expect(isBefore(-1, 0)).toBe(true)
    expect(isBefore(0, -1)).toBe(false)
  })
})
