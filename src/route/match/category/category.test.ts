import { expect, test } from "bun:test"
import type { Lists, NameList } from "../../../plugin/index.ts"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import category from "./category.ts"

const list = (name: string, of: string, host: string): NameList => ({
  name,
  category: of,
  has: asked => asked.endsWith(host),
  find: asked => (asked.endsWith(host) ? asked.length - host.length : -1),
})
const all = [list("a1", "ads", "one.test"), list("a2", "ads", "two.test"), list("t", "tracking", "two.test")]
const lists: Lists = {
  get: name => all.find(one => one.name === name)!,
  ofCategory: word => all.filter(one => one.category === word),
}
const deps = { reading: () => ({ name: "", text: "", read: () => 0 }), lists }

test("any list of one of the categories may hold the host, and the category is noted", () => {
  const cases: [string | string[], string, boolean, string][] = [
    ["ads", "x.one.test", true, "ads"],
    ["ads", "x.two.test", true, "ads"],
    ["tracking", "x.two.test", true, "tracking"],
    ["tracking", "x.one.test", false, ""],
    [["tracking", "ads"], "x.two.test", true, "tracking"],
    [["tracking", "ads"], "x.one.test", true, "ads"],
    [["tracking", "ads"], "other.example", false, ""],
  ]
  for (const [options, host, wanted, noted] of cases) {
    const x = exchangeOf({ host })
    expect({ options, host, holds: category.compile(options, deps)(x) }).toEqual({ options, host, holds: wanted })
    expect(x.notes?.category ?? "").toBe(noted)
  }
})

test("where nothing is found nothing is noted, and the first category that was found stays", () => {
  const x = exchangeOf({ host: "other.example" })
  category.compile("ads", deps)(x)
  expect(x.notes).toBeNull()
  const y = exchangeOf({ host: "two.test" })
  category.compile("tracking", deps)(y)
  category.compile("ads", deps)(y)
  expect(y.notes!.category).toBe("tracking")
})

test("names the categories with the keys that lead there", () => {
  expect(category.lists!("ads")).toEqual([{ kind: "category", name: "ads", at: [] }])
  expect(category.lists!(["ads", "x"]).map(({ at }) => at)).toEqual([[0], [1]])
  expect(category.options.safeParse("two words").success).toBe(false)
  expect(() => category.compile("ads")).toThrow("cannot be read here")
})

test("explains what holds and what does not", () => {
  expect(category.found!(["tracking", "ads"], exchangeOf({ host: "x.one.test" }), deps)).toBe("ads, list a1 has one.test")
  expect(category.describe("ads", exchangeOf({ host: "c.test" }))).toBe("host is c.test, in no list of category ads")
})
